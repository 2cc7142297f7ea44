package compat

import (
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// conninfo is what -O conninfo says. The ssh of this machine may be too old to ask for it.
func (f *faulty) conninfo(t testing.TB) string {
	t.Helper()
	r := run(t, Command{Args: f.Command("-O", "conninfo", Target)})
	require.Equal(t, 0, r.Code, r.Stderr)
	return r.Stdout
}

// linkLine is the line of a connection: its state and how many sessions it has.
var linkLine = regexp.MustCompile(`(?m)^  link \d+ ([^,]+), age [\d:]+, round trip [\d.]+[mµ]?s, (\d+) sessions?\b`)

// -O conninfo tells of each connection: its state, its age, its round trip, its sessions.
func TestConninfoNamesEachLink(t *testing.T) {
	// Without sessions ahead of need, of which the new one would take one on a connection that has just spoken.
	c := circumstances{Server: []string{"MaxSessions 2"}, Options: []string{"-o", "WarmSessions=0"}}
	ourFaulty(t, "it has one connection", c, func(t *testing.T, f *faulty) {
		var clients []*heldClient
		for range 3 {
			clients = append(clients, f.held(t, "cat; exit 2"))
		}
		text := f.conninfo(t)
		require.Regexp(t, `(?m)^  tcp 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:`+itoa(f.Relay.Port)+`\r?$`, text)
		lines := linkLine.FindAllStringSubmatch(text, -1)
		require.Len(t, lines, 2, text)
		require.Equal(t, []string{"up", "2"}, lines[0][1:], text)
		require.Equal(t, []string{"up", "1"}, lines[1][1:], text)
		f.Relay.FreezePresent(t)
		require.Equal(t, Result{Stdout: "new\n"}, f.Session(t, "echo new"))
		after := f.conninfo(t)
		lines = linkLine.FindAllStringSubmatch(after, -1)
		require.Len(t, lines, 3, after)
		require.NotEqual(t, lines[0][1], lines[1][1], "one of them was asked, and has not answered: %s", after)
		require.Equal(t, "up", lines[2][1], after)
		for _, c := range clients {
			c.kill()
		}
	})
}

// With ExitMode drain, -O exit lets the sessions that are open go on to their end. Nobody else gets in.
func TestExitModeDrain(t *testing.T) {
	ourFaulty(t, "it has no such option", circumstances{Options: []string{"-o", "ExitMode=drain"}}, func(t *testing.T, f *faulty) {
		first, second := f.held(t, "cat; exit 5"), f.held(t, "cat; exit 6")
		r := f.Ask(t, "exit")
		require.Equal(t, Result{Stderr: "Exit request sent.\r\n"}, r)
		eventually(t, func() bool { return !exists(f.Control) }, "the socket is still there")
		require.Equal(t, 255, f.Session(t, "true").Code)
		first.echoes(t)
		require.NoError(t, first.in.Close())
		require.Equal(t, 5, first.Wait(t))
		second.echoes(t)
		require.True(t, f.Running())
		require.NoError(t, second.in.Close())
		require.Equal(t, 6, second.Wait(t))
		f.Wait(t)
		require.Equal(t, 1, f.logins(t))
	})
}

// Otherwise they end with the master.
func TestExitModeNow(t *testing.T) {
	eachFaulty(t, circumstances{}, func(t *testing.T, f *faulty) {
		session := f.held(t, "cat; exit 5")
		require.Equal(t, 0, f.Ask(t, "exit").Code)
		require.Equal(t, 255, session.Wait(t))
		f.Wait(t)
		require.False(t, exists(f.Control))
	})
}

// A slave that is killed: with KillRemote the far command gets a signal before its session closes, without it none.
func TestKillRemote(t *testing.T) {
	for _, test := range []struct {
		option string
		want   bool
	}{{"KillRemote=yes", true}, {"KillRemote=no", false}, {"", false}} {
		t.Run(test.option, func(t *testing.T) {
			c := circumstances{Serve: []string{"-shell", "."}}
			if test.option != "" {
				c.Options = []string{"-o", test.option}
			}
			ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
				for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGHUP} {
					end := filepath.Join(f.Dir, "end."+itoa(int(sig)))
					signals := len(f.events(t, "signal "))
					// It neither reads nor writes: nothing but a signal tells it that its client has gone. It goes with the
					// folder at the latest, which may be gone before it has seen the file.
					session := f.held(t, "trap 'echo signalled >"+end+"; exit' TERM HUP INT; echo waiting; "+
						"while test -d "+f.Dir+" && ! test -e "+end+"; do sleep 0.1; done")
					expect(t, session.out, "waiting\n")
					closes := len(f.events(t, "close"))
					session.Signal(t, sig)
					requireDied(t, sig, session.Wait(t))
					eventually(t, func() bool { return len(f.events(t, "close")) > closes }, "the session was not closed")
					require.Equal(t, test.want, len(f.events(t, "signal ")) > signals)
					if test.want {
						eventually(t, func() bool { return exists(end) }, "the far command goes on")
						continue
					}
					write(t, end, 0o600, "")
				}
				// A session that ends by itself needs no signal.
				signals := len(f.events(t, "signal "))
				require.Equal(t, Result{Stdout: "out\n", Code: 3}, f.Session(t, "echo out; exit 3"))
				require.Len(t, f.events(t, "signal "), signals)
			})
		})
	}
}

// The signal comes before the end of the input and before the channel's.
func TestKillRemoteComesFirst(t *testing.T) {
	c := circumstances{Serve: []string{}, Options: []string{"-o", "KillRemote=yes", "-o", "WarmSessions=0"}}
	ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
		client := startClient(t, f.SSH(Target, "sleep"))
		eventually(t, func() bool { return len(f.events(t, "exec sleep")) == 1 }, "the session never began")
		channel := f.events(t, "exec sleep")[0].channel
		client.Signal(t, syscall.SIGKILL)
		client.Wait(t)
		var words []string
		eventually(t, func() bool {
			words = nil
			for _, e := range f.events(t, "") {
				if e.channel == channel {
					words = append(words, e.words)
				}
			}
			return words[len(words)-1] == "close"
		}, "the session was not closed")
		at := strings.Index(strings.Join(words, "\n"), "\nsignal ")
		require.NotEqual(t, -1, at, words)
	})
}

// -O rotate: whoever comes from now on gets a fresh connection; the old one goes when its last session has ended.
func TestRotate(t *testing.T) {
	c := circumstances{Serve: []string{"-shell", "."}}
	ourFaulty(t, "it has no such command", c, func(t *testing.T, f *faulty) {
		session := f.held(t, "cat; exit 5")
		for turn := 1; turn <= 2; turn++ {
			r := run(t, Command{Args: f.Command("-O", "rotate", Target)})
			require.Equal(t, 0, r.Code, r.Stderr)
			words := "turn " + itoa(turn)
			require.Equal(t, Result{Stdout: words + "\n"}, f.Session(t, "echo "+words))
			ran := f.events(t, "exec echo "+words)
			require.Len(t, ran, 1)
			require.Equal(t, turn+1, ran[0].conn, "on a connection of its own")
			session.echoes(t)
		}
		require.Equal(t, 3, f.logins(t))
		// The one in the middle has nothing left to do; the first has.
		eventually(t, func() bool { return len(f.events(t, "disconnect")) == 1 }, "the second connection stays")
		require.Equal(t, 2, f.events(t, "disconnect")[0].conn)
		require.NoError(t, session.in.Close())
		require.Equal(t, 5, session.Wait(t))
		eventually(t, func() bool { return len(f.events(t, "disconnect")) == 2 }, "the first connection stays")
		require.Equal(t, Result{Stdout: "on\n"}, f.Session(t, "echo on"))
		require.Equal(t, 3, f.logins(t))
		f.nobodyFellBack(t)
	})
}
