package compat

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// remote is how long everything takes to arrive at a host that is worth sessions ahead of need.
const remote = 20 * time.Millisecond

// sessionLog is what the server's log says of its session channels.
type sessionLog struct {
	opened, refused int
	warm            []int          // channels that are open and on which nothing was asked for yet
	started         map[string]int // the channel on which a command was started, by its words
}

func (f *faulty) sessions(t testing.TB) sessionLog {
	t.Helper()
	s := sessionLog{started: map[string]int{}}
	idle := map[int]bool{}
	for _, e := range f.events(t, "") {
		switch {
		case e.words == "open session":
			s.opened++
			idle[e.channel] = true
		case e.words == "open session refused":
			s.refused++
		case strings.HasPrefix(e.words, "exec "):
			s.started[strings.TrimPrefix(e.words, "exec ")] = e.channel
			delete(idle, e.channel)
		case e.channel != 0:
			delete(idle, e.channel)
		}
	}
	for channel := range idle {
		s.warm = append(s.warm, channel)
	}
	return s
}

// warms waits until the server holds so many channels that wait for a command.
func (f *faulty) warms(t testing.TB, n int) []int {
	t.Helper()
	eventually(t, func() bool { return len(f.sessions(t).warm) == n }, "the server never had %d channels open ahead", n)
	return f.sessions(t).warm
}

// After the first session on it, a connection has a session channel open ahead; the next session uses that one, and
// another takes its place.
func TestWarmSession(t *testing.T) {
	c := circumstances{Delay: remote, Serve: []string{}}
	ourFaulty(t, "it opens them when they are needed", c, func(t *testing.T, f *faulty) {
		require.Equal(t, Result{Stdout: "first\n"}, f.Session(t, "echo first"))
		for _, words := range []string{"second", "third", "fourth"} {
			warm := f.warms(t, 1)
			require.Equal(t, Result{Stdout: words + "\n"}, f.Session(t, "echo "+words))
			require.Equal(t, warm[0], f.sessions(t).started["echo "+words], "not on the channel that was open")
		}
		f.warms(t, 1)
		require.Equal(t, 5, f.sessions(t).opened)
		require.Zero(t, f.sessions(t).refused)
	})
}

// A fifth at the same time has none open ahead: the next five have.
func TestFourWarmSessions(t *testing.T) {
	c := circumstances{Delay: remote, Serve: []string{}, Options: []string{"-o", "WarmSessions=4"}}
	ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
		require.Equal(t, Result{Stdout: "first\n"}, f.Session(t, "echo first"))
		f.warms(t, 4)
		for range 2 {
			allAre(t, Result{Stdout: "burst\n"}, f.many(5, "echo burst"))
			eventually(t, func() bool { n := len(f.sessions(t).warm); return n == 4 || n == 5 }, "they were not replaced")
		}
		f.nobodyFellBack(t)
	})
}

func TestNoWarmSessions(t *testing.T) {
	c := circumstances{Delay: remote, Serve: []string{}, Options: []string{"-o", "WarmSessions=0"}}
	ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
		for range 3 {
			require.Equal(t, Result{Stdout: "one\n"}, f.Session(t, "echo one"))
		}
		require.Equal(t, 3, f.sessions(t).opened)
	})
}

// Channels that are open ahead make room where the server allows no more of them: here for a proxy slave, which opens its
// own.
func TestWarmSessionsMakeRoom(t *testing.T) {
	c := circumstances{Delay: remote, Serve: []string{"-max-sessions", "2"}, Options: []string{"-o", "WarmSessions=2", "-o", "MaxLinks=1"}}
	ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
		require.Equal(t, Result{Stdout: "first\n"}, f.Session(t, "echo first"))
		eventually(t, func() bool { return len(f.sessions(t).warm) > 0 }, "no channel was open ahead")
		client, err := proxyClient(t.Context(), f.Control)
		require.NoError(t, err)
		defer client.Close()
		var both []*ssh.Session
		for range 2 {
			session, err := client.NewSession()
			require.NoError(t, err)
			require.NoError(t, session.Start("sleep"))
			both = append(both, session)
		}
		for _, session := range both {
			require.NoError(t, session.Close())
		}
		require.Equal(t, Result{Stdout: "room again\n"}, f.Session(t, "echo room again"))
		f.nobodyFellBack(t)
	})
}

// With a server that allows a single session nothing can be open ahead, and nobody notices.
func TestOneSessionAtATime(t *testing.T) {
	c := circumstances{Delay: remote, Serve: []string{"-max-sessions", "1"}, Options: []string{"-o", "MaxLinks=1"}}
	ourFaulty(t, "it refuses the second", c, func(t *testing.T, f *faulty) {
		for range 3 {
			require.Equal(t, Result{Stdout: "one\n"}, f.Session(t, "echo one"))
		}
		allAre(t, Result{Stdout: "many\n"}, f.many(6, "echo many"))
		require.Equal(t, 1, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// A server that closes channels on which nothing happens closes those that are open ahead, too.
func TestWarmSessionThatDied(t *testing.T) {
	c := circumstances{Delay: remote, Serve: []string{"-shell", ".", "-start-within", "100ms"}}
	ourFaulty(t, "it has none", c, func(t *testing.T, f *faulty) {
		for range 3 {
			require.Equal(t, Result{Stdout: "one\n", Code: 4}, f.Session(t, "echo one; exit 4"))
			eventually(t, func() bool { return len(f.sessions(t).warm) == 0 }, "the server closes none")
		}
		require.Equal(t, 1, f.logins(t))
		f.nobodyFellBack(t)
	})
}
