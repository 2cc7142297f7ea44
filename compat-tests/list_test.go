package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listed is what -O list --json promises to say: the keys are spelled out here because they are not to change.
type listed struct {
	Host, User, Address, Control, State, Trouble string
	PID                                          int
	Since                                        time.Time
	Links                                        []struct {
		Number          int
		State           string
		Home            bool
		RoundTrip       float64 `json:"round_trip"`
		Sessions        int
		BytesIn         uint64 `json:"bytes_in"`
		BytesOut        uint64 `json:"bytes_out"`
		Since           time.Time
		Silence         float64
		Streams, Spares int
	}
	Sessions []listedSession
	Forwards []struct {
		Type, Spec, Listen, Connect string
		Port, Connections           int
	}
	Connections int
}

type listedSession struct {
	PID                                      int
	Program, Parent, Terminal, Kind, Command string
	TTY, Waiting, Subsystem                  bool
	Since                                    time.Time
	BytesIn                                  uint64 `json:"bytes_in"`
	BytesOut                                 uint64 `json:"bytes_out"`
}

// List asks the master's own program what it holds.
func (m *Master) List(t testing.TB) listed {
	t.Helper()
	r := run(t, Command{Args: m.Command("-O", "list", "--json", Target)})
	require.Equal(t, 0, r.Code, r.Stderr)
	require.Empty(t, r.Stderr)
	var all []listed
	require.NoError(t, json.Unmarshal([]byte(r.Stdout), &all), r.Stdout)
	require.Len(t, all, 1)
	return all[0]
}

const listIsOurs = "ssh -O has no list"

func TestList(t *testing.T) {
	forward := fmt.Sprintf("127.0.0.1:%d:127.0.0.1:1", freePort(t))
	onlyOurs(t, listIsOurs, Setup{Terminals: true, Options: []string{"-L", forward}}, func(t *testing.T, m *Master) {
		began := time.Now()
		plain, _, _ := heldSession(t, m, "cat")
		term := newTerminal(t)
		shell := term.Start(t, nil, m.SSH("-t", Target, "echo ready; cat")...)
		term.Ready(t)
		all := m.List(t)
		require.Equal(t, Target, all.Host)
		require.Equal(t, m.Control, all.Control)
		require.Equal(t, m.PID(), all.PID)
		require.Equal(t, "up", all.State)
		require.Empty(t, all.Trouble)
		require.WithinRange(t, all.Since, began.Add(-patience), began)
		require.Len(t, all.Links, 1)
		require.True(t, all.Links[0].Home)
		require.Equal(t, 2, all.Links[0].Sessions)
		require.Positive(t, all.Links[0].RoundTrip)
		require.Len(t, all.Sessions, 2)
		for i, want := range []listedSession{
			{PID: plain.PID(), Command: "echo ready; cat"},
			{PID: shell.PID(), Command: "echo ready; cat", TTY: true, Terminal: strings.TrimPrefix(term.path, "/dev/")},
		} {
			got := all.Sessions[i]
			require.WithinRange(t, got.Since, began, time.Now())
			require.NotZero(t, got.BytesIn)
			want.Program, want.Parent, want.Kind = "ssh", filepath.Base(os.Args[0]), "session"
			want.Parent = want.Parent[:min(len(want.Parent), 15)] // as much as the kernel keeps
			want.Since, want.BytesIn, want.BytesOut = got.Since, got.BytesIn, got.BytesOut
			require.Equal(t, want, got)
		}
		require.Equal(t, "local", all.Forwards[0].Type)
		require.Equal(t, forward, all.Forwards[0].Spec)
	})
}

// The bytes of a session are those that its programs have seen.
func TestListCountsBytes(t *testing.T) {
	const size = 40 << 20
	onlyOurs(t, listIsOurs, Setup{Plain: true}, func(t *testing.T, m *Master) {
		up, in, out := heldSession(t, m, "head -c "+strconv.Itoa(size)+" | wc -c; cat")
		_, err := in.Write(make([]byte, size))
		require.NoError(t, err)
		expect(t, out, strconv.Itoa(size)+"\n")
		down, _, out := heldSession(t, m, "head -c "+strconv.Itoa(size)+" /dev/zero; cat")
		expect(t, out, string(make([]byte, size)))
		const percent = size / 100
		all := m.List(t)
		for _, s := range all.Sessions {
			switch s.PID {
			case up.PID():
				require.InDelta(t, size, s.BytesOut, percent)
				require.Less(t, s.BytesIn, uint64(100))
			case down.PID():
				require.InDelta(t, size, s.BytesIn, percent)
				require.Zero(t, s.BytesOut)
			default:
				require.Fail(t, "another session", "%+v", s)
			}
		}
		require.InDelta(t, size, all.Links[0].BytesIn, 5*percent)
		require.InDelta(t, size, all.Links[0].BytesOut, 5*percent)
	})
}

// Who is behind a session is told too: the program that runs ssh.
func TestListNamesPrograms(t *testing.T) {
	onlyOurs(t, listIsOurs, Setup{}, func(t *testing.T, m *Master) {
		term := newTerminal(t)
		client := term.Start(t, nil, program(t, "sftp"), "-q", "-F", m.Server.Config, Target)
		term.Expect(t, "sftp> ")
		all := m.List(t)
		require.Len(t, all.Sessions, 1)
		s := all.Sessions[0]
		require.Equal(t, "sftp > ssh", s.Parent+" > "+s.Program)
		require.NotEqual(t, client.PID(), s.PID, "it is its ssh that is a slave")
		require.True(t, s.Subsystem)
		require.Equal(t, "sftp", s.Command)
	})
}

func TestListTable(t *testing.T) {
	onlyOurs(t, listIsOurs, Setup{Terminals: true}, func(t *testing.T, m *Master) {
		const long = ": one two three four five six seven eight nine ten eleven twelve thirteen; cat"
		session, _, _ := heldSession(t, m, long)
		r := run(t, Command{Args: append([]string{m.binary[0]}, "-O", "list", "-S", m.Control)})
		require.Equal(t, 0, r.Code, r.Stderr)
		lines := strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\n")
		require.Len(t, lines, 4, r.Stdout)
		require.Equal(t, strings.Fields("HOST STATE LINKS SESSIONS RTT AGE ADDRESS"), strings.Fields(lines[0]))
		require.Equal(t, strings.Fields("PID PROGRAM TTY AGE IN OUT COMMAND"), strings.Fields(lines[1]))
		require.Regexp(t, `^`+Target+` +up +1 +1 +\S+ +\d+s  \S+@127\.0\.0\.1:\d+$`, lines[2])
		require.Regexp(t, fmt.Sprintf(`^ +%d  .*ssh +- +\d+s +6 +0  echo ready; %s$`, session.PID(), regexp.QuoteMeta(long)), lines[3])
	})
}

// On a terminal the table is as wide as that.
func TestListFitsTheTerminal(t *testing.T) {
	onlyOurs(t, listIsOurs, Setup{Terminals: true}, func(t *testing.T, m *Master) {
		heldSession(t, m, ": "+strings.Repeat("long ", 100)+"; cat")
		term := newTerminal(t)
		term.Resize(t, 24, 60)
		list := term.Start(t, []string{"LC_ALL=C.UTF-8"}, m.Command("-O", "list", Target)...)
		require.Equal(t, 0, list.Wait(t))
		shown := term.Expect(t, "…\r\n")
		for line := range strings.Lines(shown) {
			text := regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(strings.TrimRight(line, "\r\n"), "")
			require.LessOrEqual(t, len([]rune(text)), 60, "%q", line)
		}
		require.Contains(t, shown, "\x1b[1m"+Target)
	})
}

// A stock master does not tell, and is not asked for more than it knows.
func TestListOfAnother(t *testing.T) {
	t.Parallel()
	m := newMaster(t, Stock, Setup{})
	for _, args := range [][]string{{"-O", "list"}, {"-O", "list", "--json"}} {
		r := run(t, Command{Args: append(append([]string{sshMaster(t), "-F", m.Server.Config}, args...), Target)})
		require.Equal(t, Result{Code: 255, Stderr: fmt.Sprintf(
			"ssh-master: the master at %s (pid %d) is not an ssh-master: it does not tell what it holds\r\n", m.Control, m.PID())}, r)
	}
	require.Equal(t, m.PID(), m.CheckPID(t), "it lives on")
}

func TestListOfNothing(t *testing.T) {
	onlyOurs(t, listIsOurs, Setup{NotStarted: true}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.Command("-O", "list", Target)})
		require.Equal(t, Result{Code: 255, Stderr: "Control socket connect(" + m.Control + "): No such file or directory\r\n"}, r)
		r = run(t, Command{Args: m.Command("--json", "-O", "check", Target)})
		require.Equal(t, 255, r.Code)
		require.Contains(t, r.Stderr, "--json goes with -O list alone")
	})
}

// Without a name, all that the daemon holds is listed.
func TestListOfEveryHost(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"one": nil, "other": nil})
	list := e.command(sshMaster(t), "-O", "list", "--json")
	r := run(t, list)
	require.Equal(t, 255, r.Code)
	require.Empty(t, r.Stdout)
	require.Contains(t, r.Stderr, "ssh-master")
	run(t, e.ssh("other", "true"))
	held := exec.Command("ssh", "-F", e.Config, "one", "cat")
	held.Env = environment(e.command().Env...)
	in, err := held.StdinPipe()
	require.NoError(t, err)
	session := start(t, held)
	var all []listed
	eventually(t, func() bool {
		r := run(t, list)
		require.Equal(t, 0, r.Code, r.Stderr)
		require.NoError(t, json.Unmarshal([]byte(r.Stdout), &all))
		return len(all) == 2 && len(all[0].Sessions) == 1 && !all[0].Sessions[0].Waiting
	}, "the session is not listed")
	require.Equal(t, []string{"one", "other"}, []string{all[0].Host, all[1].Host})
	require.Equal(t, session.PID(), all[0].Sessions[0].PID)
	require.Equal(t, e.daemon(), all[0].PID)
	require.Empty(t, all[1].Sessions)
	table := run(t, e.command(sshMaster(t), "-O", "list")).Stdout
	require.Regexp(t, `(?m)^one +up +1 +1 `, table)
	require.Regexp(t, `(?m)^other +up +1 +0 `, table)
	term := newTerminal(t)
	top := term.Start(t, e.command().Env, sshMaster(t), "-O", "top")
	term.Expect(t, "2 hosts, 1 session,")
	term.Type(t, "q")
	require.Equal(t, 0, top.Wait(t))
	require.NoError(t, in.Close())
	require.Equal(t, 0, session.Wait(t))
}
