package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		want := Result{Stderr: fmt.Sprintf("Master running (pid=%d)\r\n", m.PID())}
		require.Equal(t, want, m.Ask(t, "check"))
		require.Equal(t, want, run(t, Command{Args: m.Command("-O", "check", Target)}), "asked by the master's own program")
		fake := run(t, Command{Args: []string{"ssh", "-S", m.Control, "-F", "/dev/null", "-O", "check", "dummyhost"}})
		require.Equal(t, want, fake, "the host's name does not matter")
	})
}

// heldSession is a remote cat that the test feeds and ends.
func heldSession(t testing.TB, m *Master, command string) (p *Process, stdin *os.File, out *os.File) {
	t.Helper()
	c := holdClient(t, m.SSH(Target, "echo ready; "+command))
	return c.Process, c.in, c.out
}

func expect(t testing.TB, from *os.File, text string) {
	t.Helper()
	got := make([]byte, len(text))
	for n := 0; n < len(got); {
		c, err := from.Read(got[n:])
		require.NoError(t, err, "after %q", got[:n])
		n += c
	}
	require.Equal(t, text, string(got))
}

// -O stop leaves the running session alone, takes the socket away, and the master ends with its last session.
func TestStop(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		session, stdin, out := heldSession(t, m, "cat; exit 21")
		r := m.Ask(t, "stop")
		require.Equal(t, Result{Stderr: "Stop listening request sent.\r\n"}, r)
		require.False(t, exists(m.Control), "the socket is still there")
		require.True(t, m.Running())
		_, err := stdin.WriteString("still served\n")
		require.NoError(t, err)
		expect(t, out, "still served\n")
		again := m.Ask(t, "check")
		require.Equal(t, 255, again.Code)
		require.Equal(t, "Control socket connect("+m.Control+"): No such file or directory\r\n", again.Stderr)
		require.NoError(t, stdin.Close())
		require.Equal(t, 21, session.Wait(t))
		m.Wait(t)
	})
}

func TestStopOfAnIdleMaster(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		require.Equal(t, 0, m.Ask(t, "stop").Code)
		require.False(t, exists(m.Control), "the socket is still there")
		m.Wait(t)
	})
}

// -O exit is answered before the master goes; its sessions are cut.
func TestExit(t *testing.T) {
	forEachMaster(t, Setup{Terminals: true}, func(t *testing.T, m *Master) {
		session, _, _ := heldSession(t, m, "cat")
		term := newTerminal(t)
		before := term.State(t)
		onTerminal := term.Start(t, nil, m.SSH("-t", Target, "echo ready; cat")...)
		term.Ready(t)
		r := m.Ask(t, "exit")
		require.Equal(t, Result{Stderr: "Exit request sent.\r\n"}, r)
		require.Equal(t, 255, session.Wait(t))
		require.Equal(t, 255, onTerminal.Wait(t))
		require.Equal(t, before, term.State(t))
		m.Wait(t)
		require.False(t, exists(m.Control), "the socket is still there")
	})
}

func TestExitOfAnIdleMaster(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.Command("-O", "exit", Target)})
		require.Equal(t, Result{Stderr: "Exit request sent.\r\n"}, r)
		m.Wait(t)
		require.False(t, exists(m.Control), "the socket is still there")
	})
}

// A signal ends the foreground master in order: its socket is gone.
func TestSignalToMaster(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
				session, _, _ := heldSession(t, m, "cat")
				m.Signal(t, sig)
				require.Equal(t, 255, session.Wait(t))
				m.Wait(t)
				require.False(t, exists(m.Control), "the socket is still there")
			})
		})
	}
}

func TestNoMaster(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true}, func(t *testing.T, m *Master) {
		for _, command := range []string{"check", "stop", "exit"} {
			want := Result{Stderr: "Control socket connect(" + m.Control + "): No such file or directory\r\n", Code: 255}
			r := run(t, Command{Args: m.Command("-O", command, Target)})
			require.Equal(t, want, r)
		}
	})
}

func TestSocketFile(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		info, err := os.Lstat(m.Control)
		require.NoError(t, err)
		require.Equal(t, os.ModeSocket|0o600, info.Mode())
		entries, err := os.ReadDir(m.Dir)
		require.NoError(t, err)
		var sockets []string
		for _, e := range entries {
			if e.Type()&os.ModeSocket != 0 {
				sockets = append(sockets, e.Name())
			}
		}
		require.Equal(t, []string{filepath.Base(m.Control)}, sockets, "no temporary name stays behind")
	})
}

// A live socket is never taken over.
func TestLiveSocket(t *testing.T) {
	forEachMaster(t, Setup{KeepOpen: true}, func(t *testing.T, m *Master) {
		r, second := m.Background(t)
		require.Contains(t, r.Stderr, m.Control)
		require.Contains(t, r.Stderr, "already exists")
		require.Zero(t, second, "the first is still the one that answers")
		require.Equal(t, m.PID(), m.CheckPID(t))
		m.End(t)
	})
}

// A file that is no socket is never removed.
func TestForeignFileAtControlPath(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		write(t, m.Control, 0o600, "precious")
		r, _ := m.Background(t)
		require.Contains(t, r.Stderr, m.Control)
		require.Equal(t, "precious", read(t, m.Control))
	})
}

func TestUnusableControlPath(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]func(m *Master) string{
		"no such folder":    func(m *Master) string { return filepath.Join(m.Dir, "none", "ctl") },
		"folder is a file":  func(m *Master) string { return filepath.Join(m.Server.Config, "ctl") },
		"unwritable folder": func(*Master) string { return "/proc/ctl" }, // unwritable even for root
		"too long":          func(m *Master) string { return filepath.Join(m.Dir, strings.Repeat("l", 108)) },
	} {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
				r := run(t, Command{Args: m.Command("-M", "-N", "-f", "-S", path(m), Target)})
				require.NotZero(t, r.Code)
				require.Contains(t, r.Stderr, path(m))
			})
		})
	}
}

func TestRelativeControlPath(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.Command("-M", "-N", "-f", "-S", "ctl", Target), Dir: m.Dir})
		require.Equal(t, 0, r.Code, r.Stderr)
		pid := m.adopt(t)
		r = run(t, Command{Args: m.SSH("-S", "ctl", Target, "echo relative"), Dir: m.Dir})
		require.Equal(t, Result{Stdout: "relative\n"}, r)
		require.Equal(t, 0, run(t, Command{Args: m.SSH("-S", "ctl", "-O", "exit", Target), Dir: m.Dir}).Code)
		gone(t, pid)
		require.False(t, exists(m.Control), "the socket is still there")
	})
}

func TestStaleSocket(t *testing.T) {
	onlyOurs(t, "stock says that it already exists and goes on without multiplexing", Setup{KeepOpen: true},
		func(t *testing.T, m *Master) {
			m.Signal(t, os.Kill)
			m.Wait(t)
			require.True(t, exists(m.Control))
			m.Start(t)
			require.Equal(t, Result{Stdout: "again\n"}, m.Session(t, "echo again"))
			m.End(t)
		})
}

func TestSocketDeletedBySomebody(t *testing.T) {
	onlyOurs(t, "stock goes on with a socket that nobody can reach", Setup{}, func(t *testing.T, m *Master) {
		session, stdin, _ := heldSession(t, m, "cat; exit 5")
		for range 2 {
			require.NoError(t, os.Remove(m.Control))
			eventually(t, m.Answers, "the socket was not made again")
			require.Equal(t, Result{Stdout: "again\n"}, m.Session(t, "echo again"))
		}
		require.NoError(t, stdin.Close())
		require.Equal(t, 5, session.Wait(t))
		m.End(t)
	})
}

// A path that has become somebody else's stays theirs.
func TestSocketReplacedBySomebody(t *testing.T) {
	onlyOurs(t, "stock removes whatever is at its path when it ends", Setup{}, func(t *testing.T, m *Master) {
		require.NoError(t, os.Remove(m.Control))
		// link(2) is atomic: between the two, ssh-master may have made its own again.
		mine := write(t, filepath.Join(m.Dir, "mine"), 0o600, "somebody's")
		require.NoError(t, os.Rename(mine, m.Control))
		m.Signal(t, syscall.SIGTERM)
		m.Wait(t)
		require.Equal(t, "somebody's", read(t, m.Control))
	})
}

// Eighteen bytes more than stock, which binds a longer temporary name first.
func TestLongControlPath(t *testing.T) {
	onlyOurs(t, "stock stops at 90 bytes", Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		m.Control = filepath.Join(m.Dir, strings.Repeat("l", 107-len(m.Dir)-1))
		require.Len(t, m.Control, 107)
		r, pid := m.Background(t, "-S", m.Control)
		require.Equal(t, 0, r.Code, r.Stderr)
		require.NotZero(t, pid)
		s := run(t, Command{Args: m.SSH("-S", m.Control, Target, "echo long")})
		require.Equal(t, Result{Stdout: "long\n"}, s)
	})
}
