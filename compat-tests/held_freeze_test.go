package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// freezeTime is how long a network stands still, or a program, where it comes back in the end.
const freezeTime = 8 * time.Second

// heldClient is a client with a session on it, whose outputs stay apart.
type heldClient struct {
	*Process
	in, out *os.File
	errors  string // the file that its stderr is
}

// held starts one: it runs the command after it has said "ready".
func (f *faulty) held(t testing.TB, command string) *heldClient {
	t.Helper()
	return holdClient(t, f.SSH(Target, "echo ready; "+command))
}

// holdClient starts a client whose command says "ready" when it runs.
func holdClient(t testing.TB, args []string) *heldClient {
	t.Helper()
	c := &heldClient{errors: filepath.Join(t.TempDir(), "stderr")}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environment()
	inRead, in, err := os.Pipe()
	require.NoError(t, err)
	out, outWrite, err := os.Pipe()
	require.NoError(t, err)
	stderr, err := os.Create(c.errors)
	require.NoError(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inRead, outWrite, stderr
	c.Process, c.in, c.out = start(t, cmd), in, out
	for _, given := range []*os.File{inRead, outWrite, stderr} {
		require.NoError(t, given.Close())
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = out.Close()
	})
	expect(t, out, "ready\n")
	return c
}

// startClient starts a client that has no input and whose outputs nobody wants.
func startClient(t testing.TB, args []string) *Process {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environment()
	return start(t, cmd)
}

// echoes requires that a session of cat lives.
func (c *heldClient) echoes(t testing.TB) {
	t.Helper()
	_, err := c.in.WriteString("alive?\n")
	require.NoError(t, err)
	require.NoError(t, c.out.SetReadDeadline(soon()))
	expect(t, c.out, "alive?\n")
}

// saysWhy requires that a client whose link is lost ends with 255 and tells it.
func (c *heldClient) saysWhy(t testing.TB) {
	t.Helper()
	require.Equal(t, 255, c.Wait(t))
	require.Regexp(t, `(?im)^.*\b(connection|link|server|host)\b.*$`, read(t, c.errors))
}

// The connection has become silent and nobody has said so, as after a lost NAT entry: the next client is served all the
// same, by one new login, and those who come after it by the same one.
func TestFrozenLink(t *testing.T) {
	// Not with a session ahead of need, which the last answer vouches for: see below.
	c := circumstances{Options: []string{"-o", "WarmSessions=0"}}
	ourFaulty(t, "its client hangs", c, func(t *testing.T, f *faulty) {
		require.Equal(t, Result{Stdout: "old\n"}, f.Session(t, "echo old"))
		f.Relay.FreezePresent(t)
		begin := time.Now()
		require.Equal(t, Result{Stdout: "new\n", Code: 3}, f.Session(t, "echo new; exit 3"))
		t.Logf("the first command took %v", time.Since(begin).Round(time.Millisecond))
		for range 3 {
			require.Equal(t, Result{Stdout: "more\n"}, f.Session(t, "echo more"))
		}
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// A session that is open ahead of need is used at once while its connection has just spoken. Whether the host has begun
// with the command when the answer does not come, nobody knows, so it is not given to another one: the client ends, with
// a reason, within HoldTimeout, and the next one is served.
func TestFrozenLinkWithWarmSession(t *testing.T) {
	c := circumstances{Delay: remote, Options: []string{"-o", "HoldTimeout=10s"}}
	ourFaulty(t, "its client hangs", c, func(t *testing.T, f *faulty) {
		require.Equal(t, Result{Stdout: "old\n"}, f.Session(t, "echo old"))
		f.Relay.FreezePresent(t)
		begin := time.Now()
		r := f.Session(t, "echo new; exit 3")
		t.Logf("the first command ended with %d after %v: %s", r.Code, time.Since(begin).Round(time.Millisecond), r.Stderr)
		if r.Code != 3 {
			require.Equal(t, 255, r.Code)
			require.NotEmpty(t, r.Stderr)
		}
		require.Equal(t, Result{Stdout: "new\n", Code: 3}, f.Session(t, "echo new; exit 3"))
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}

func TestFrozenLinkHangsStock(t *testing.T) {
	stockSuffers(t, circumstances{}, func(t *testing.T, f *faulty) {
		f.Relay.FreezePresent(t)
		client := startClient(t, f.SSH(Target, "true"))
		time.Sleep(5 * time.Second) // is what ours needs for three of them
		require.True(t, client.Running())
	})
}

// A hundred clients that come at once share that one login.
func TestFrozenLinkOfMany(t *testing.T) {
	ourFaulty(t, "its clients hang", circumstances{Server: []string{"MaxSessions 200"}}, func(t *testing.T, f *faulty) {
		f.Relay.FreezePresent(t)
		begin := time.Now()
		allAre(t, Result{Stdout: "served\n"}, f.many(100, "echo served"))
		t.Logf("all commands took %v", time.Since(begin).Round(time.Millisecond))
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// The sessions of the silent connection end within the time that ServerAliveInterval allows. Ours says why, and lives on.
func TestFrozenLinkEnds(t *testing.T) {
	c := circumstances{Options: []string{"-o", "ServerAliveInterval=1"}}
	eachFaulty(t, c, func(t *testing.T, f *faulty) {
		var sessions []*heldClient
		for range 3 {
			sessions = append(sessions, f.held(t, "cat"))
		}
		f.Relay.FreezePresent(t)
		for _, s := range sessions {
			require.Equal(t, 255, s.Wait(t))
			if f.Kind == Ours {
				s.saysWhy(t)
			}
		}
		if f.Kind == Stock {
			require.Equal(t, 255, f.Wait(t))
			return
		}
		require.Equal(t, Result{Stdout: "new\n"}, f.Session(t, "echo new"))
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// meanwhile has commands started, at different moments, while something stands still, and requires that all of them are
// carried out soon after it goes on, as if nothing had been. A session that was open goes on, too.
func meanwhile(t *testing.T, f *faulty, stop, goOn func()) {
	t.Helper()
	session := f.held(t, "cat; exit 5")
	stop()
	begin := time.Now()
	var clients []<-chan outcomeOf
	for range 4 {
		clients = append(clients, f.Beside(Command{Args: f.SSH(Target, "echo served; exit 3")}))
		time.Sleep(freezeTime / 5) // the time is what is tested
	}
	time.Sleep(time.Until(begin.Add(freezeTime)))
	goOn()
	thaw := time.Now()
	for _, c := range clients {
		o := <-c
		require.NoError(t, o.err, o.Stderr)
		require.Equal(t, Result{Stdout: "served\n", Code: 3}, o.Result)
	}
	t.Logf("all commands were done %v after it went on", time.Since(thaw).Round(time.Millisecond))
	session.echoes(t)
	require.NoError(t, session.in.Close())
	require.Equal(t, 5, session.Wait(t))
	require.Empty(t, read(t, session.errors))
	f.nobodyFellBack(t)
}

// The network stands still for a while, for everybody.
func TestFrozenNetwork(t *testing.T) {
	eachFaulty(t, circumstances{}, func(t *testing.T, f *faulty) {
		meanwhile(t, f, func() { f.Relay.Freeze(t) }, func() { f.Relay.Thaw(t) })
	})
}

// A computer on the way sleeps.
func TestSuspendedRelay(t *testing.T) {
	eachFaulty(t, circumstances{}, func(t *testing.T, f *faulty) {
		meanwhile(t, f, func() { f.Relay.Suspend(t) }, func() { f.Relay.Resume(t) })
	})
}

// The master sleeps, and finds its connection as it was.
func TestSuspendedMaster(t *testing.T) {
	eachFaulty(t, circumstances{Options: []string{"-o", "ServerAliveInterval=1"}}, func(t *testing.T, f *faulty) {
		meanwhile(t, f, func() { f.Signal(t, sigStop) }, func() { f.Signal(t, sigCont) })
		require.Equal(t, 1, f.logins(t))
	})
}

// The master sleeps, and its connection is dead when it wakes up.
func TestSuspendedMasterCutOff(t *testing.T) {
	ourFaulty(t, "its client hangs", circumstances{}, func(t *testing.T, f *faulty) {
		session := f.held(t, "cat")
		f.Signal(t, sigStop)
		f.Relay.FreezePresent(t)
		clients := []<-chan outcomeOf{f.Beside(Command{Args: f.SSH(Target, "echo served")})}
		time.Sleep(freezeTime) // the time is what is tested
		f.Signal(t, sigCont)
		clients = append(clients, f.Beside(Command{Args: f.SSH(Target, "echo served")}))
		for _, c := range clients {
			o := <-c
			require.NoError(t, o.err, o.Stderr)
			require.Equal(t, Result{Stdout: "served\n"}, o.Result)
		}
		// Waking up is reason enough to ask: no interval was configured.
		session.saysWhy(t)
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}
