package compat

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A slave that is killed, by whatever signal: the far side sees its stdin end, the other sessions live, and the master
// holds afterwards what it held before.
func TestSlaveKilled(t *testing.T) {
	forEachMaster(t, Setup{Terminals: true}, func(t *testing.T, m *Master) {
		other, otherIn, otherOut := heldSession(t, m, "cat; exit 3")
		before := warmUp(t, m)
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGKILL} {
			killedReading(t, m, sig)
			killedWriting(t, m, sig)
			killedOnTerminal(t, m, sig)
			killedForwarding(t, m, sig)
		}
		m.settles(t, before)
		require.LessOrEqual(t, resources(t, m.PID()).Threads, 20)
		_, err := otherIn.WriteString("alive\n")
		require.NoError(t, err)
		expect(t, otherOut, "alive\n")
		require.NoError(t, otherIn.Close())
		require.Equal(t, 3, other.Wait(t))
	})
}

// warmUp has the master make what it keeps for good, so that counting begins afterwards; it returns what that is.
func warmUp(t testing.TB, m *Master) Resources {
	t.Helper()
	m.Session(t, "true")
	if noTerminals(t) == "" {
		run(t, Command{Args: m.SSH("-tt", Target, "true")})
	}
	return m.rested(t)
}

// requireDied: ssh exits with 255 on the signals that it catches, from a moment after the session began on.
func requireDied(t testing.TB, sig syscall.Signal, code int) {
	t.Helper()
	if sig == syscall.SIGKILL {
		require.Equal(t, 128+int(sig), code)
		return
	}
	require.Contains(t, []int{255, 128 + int(sig)}, code)
}

func killedReading(t *testing.T, m *Master, sig syscall.Signal) {
	t.Helper()
	mark := filepath.Join(t.TempDir(), "ended")
	p, _, _ := heldSession(t, m, "cat >/dev/null; : >"+mark)
	p.Signal(t, sig)
	requireDied(t, sig, p.Wait(t))
	eventually(t, func() bool { return exists(mark) }, "%v: the far side never saw its stdin end", sig)
}

func killedWriting(t *testing.T, m *Master, sig syscall.Signal) {
	t.Helper()
	mark := filepath.Join(t.TempDir(), "ended")
	p, _, out := heldSession(t, m, "yes 2>/dev/null; : >"+mark)
	expect(t, out, "y\ny\ny\n")
	p.Signal(t, sig)
	requireDied(t, sig, p.Wait(t))
	eventually(t, func() bool { return exists(mark) }, "%v: the far side never saw its output end", sig)
}

func killedOnTerminal(t *testing.T, m *Master, sig syscall.Signal) {
	t.Helper()
	mark := filepath.Join(t.TempDir(), "ended")
	term := newTerminal(t)
	p := term.Start(t, nil, m.SSH("-t", Target, "trap '' HUP; echo ready; cat; : >"+mark)...)
	term.Ready(t)
	p.Signal(t, sig)
	requireDied(t, sig, p.Wait(t))
	eventually(t, func() bool { return exists(mark) }, "%v: the far terminal was not hung up", sig)
}

func killedForwarding(t *testing.T, m *Master, sig syscall.Signal) {
	t.Helper()
	out, outWrite, err := os.Pipe()
	require.NoError(t, err)
	defer out.Close()
	in, inWrite, err := os.Pipe()
	require.NoError(t, err)
	defer inWrite.Close()
	c := Command{Args: m.SSH("-W", echoServer(t), Target), Stdin: in}
	cmd := c.prepare(t.Context())
	cmd.Stdout = outWrite
	p := start(t, cmd)
	require.NoError(t, outWrite.Close())
	require.NoError(t, in.Close())
	expect(t, out, "welcome\n")
	p.Signal(t, sig)
	p.Wait(t)
	_, err = io.ReadAll(out)
	require.NoError(t, err, "and nobody else holds the output open")
}

// The link dies: every session ends with 255. A stock master ends, and its socket goes; ours serves the next session over
// another link.
func TestLinkDies(t *testing.T) {
	forEachMaster(t, Setup{Terminals: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		session, _, _ := heldSession(t, m, "cat")
		term := newTerminal(t)
		before := term.State(t)
		onTerminal := term.Start(t, nil, m.SSH("-t", Target, "echo ready; cat")...)
		term.Ready(t)
		m.Server.Cut()
		require.Equal(t, 255, session.Wait(t))
		require.Equal(t, 255, onTerminal.Wait(t))
		require.Equal(t, before, term.State(t))
		if m.Kind == Ours {
			term.Expect(t, "Connection to 127.0.0.1 closed by remote host.") // why
			m.servesAnew(t)
			require.Equal(t, 2, m.Server.Logins())
			return
		}
		require.Equal(t, 255, m.Wait(t))
		require.False(t, exists(m.Control), "the socket is still there")
	})
}

// A refused session hangs nobody, and its reason is told. Ours waits for room before it refuses, and no longer than
// HoldTimeout; there is no further link to be had here.
func TestRefused(t *testing.T) {
	setup := Setup{Server: []string{"MaxSessions 1"}, Own: []string{"-oHoldTimeout=2"}}
	reason := map[Kind]string{
		Stock: "Session open refused by peer",
		Ours:  "waiting for a free session: 127.0.0.1 allows 1 on a connection, and all of 1 are in use (HoldTimeout 2s)",
	}
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		first, stdin, _ := heldSession(t, m, "cat; exit 2")
		before := m.rested(t)
		var callers sync.WaitGroup
		var told [5]Result
		var failed [5]error
		for i := range told {
			// The caller waits for the end of its pipe, not only for ssh; the client falls back to a login, which fails.
			c := Command{Args: []string{"sh", "-c", `x=$("$@" 2>&1); echo "$? $x"`, "sh", "ssh", "-F", m.Server.Config, Target, "true"}}
			callers.Go(func() { told[i], failed[i] = c.run() })
		}
		callers.Wait()
		for i, r := range told {
			require.NoError(t, failed[i])
			require.Contains(t, r.Stdout, "255 mux_client_request_session: session request failed: "+reason[m.Kind])
		}
		m.settles(t, before)
		require.NoError(t, stdin.Close())
		require.Equal(t, 2, first.Wait(t))
		require.Equal(t, Result{Stdout: "room again\n"}, m.Session(t, "echo room again"))
	})
}

func TestRefusedSubsystem(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		for range 5 {
			r := run(t, Command{Args: []string{"sh", "-c", `x=$("$@" 2>/dev/null); echo "$? $x"`, "sh", "ssh", "-F", m.Server.Config, "-s", Target, "no-such"}})
			require.Equal(t, "255 \n", r.Stdout)
		}
		m.settles(t, before)
	})
}

// The server grants no terminal: the session goes on without.
func TestRefusedTerminal(t *testing.T) {
	forEachMaster(t, Setup{Server: []string{"PermitTTY no"}}, func(t *testing.T, m *Master) {
		term := newTerminal(t)
		before := term.State(t)
		p := term.Start(t, nil, m.SSH("-t", Target, "tty; exit 6")...)
		shown := term.Expect(t, "Shared connection")
		require.Contains(t, shown, "PTY allocation request failed")
		require.Contains(t, shown, "not a tty")
		require.Equal(t, 6, p.Wait(t))
		require.Equal(t, before, term.State(t))
	})
}

// A slave that asks for a session and withholds its descriptors hinders nobody, and a deadline ends it.
func TestWithheldDescriptors(t *testing.T) {
	onlyOurs(t, "stock waits for them in its only thread and serves nobody meanwhile", Setup{}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		var slaves []*rawSlave
		for given := range 3 {
			s := m.Attach(t)
			p := newPipes(t)
			require.NoError(t, s.send(newSession(1, "true")))
			require.NoError(t, s.sendFile(p.passed[:given]...))
			slaves = append(slaves, s)
		}
		stdio := m.Attach(t)
		require.NoError(t, stdio.send(frame(typeStdioFwd, uint32(1), "", "127.0.0.1", uint32(1))))
		slaves = append(slaves, stdio)
		for range 3 {
			require.Equal(t, Result{Stdout: "served\n"}, m.Session(t, "echo served"))
		}
		for _, s := range slaves {
			s.expectEndWithin(t, 2*patience)
		}
		m.settles(t, before)
	})
}

// expectEndWithin skips what the master may still say (a refusal) and waits longer than for an answer.
func (s *rawSlave) expectEndWithin(t testing.TB, limit time.Duration) {
	t.Helper()
	require.NoError(t, s.conn.SetReadDeadline(time.Now().Add(limit)))
	_, err := io.Copy(io.Discard, s.conn)
	require.NoError(t, asEndOK(err))
}

func asEndOK(err error) error {
	if asEnd(err) == io.EOF {
		return nil
	}
	return err
}

// Sixty connections that stopped in the middle of a packet keep nobody from working.
func TestHalfSentPackets(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		whole := newSession(1, strings.Repeat("x", 1000))
		var slaves []*rawSlave
		for i := range 60 {
			s := m.Connect(t)
			switch i % 4 {
			case 0: // not even a HELLO
			case 1:
				require.NoError(t, s.send(hello()[:7]))
			case 2:
				require.NoError(t, s.send(hello(), whole[:3]))
			case 3:
				require.NoError(t, s.send(hello(), whole[:500]))
			}
			slaves = append(slaves, s)
		}
		for range 3 {
			require.Equal(t, Result{Stdout: "served\n", Code: 4}, m.Session(t, "echo served; exit 4"))
		}
		for _, s := range slaves {
			require.NoError(t, s.conn.Close())
		}
		m.settles(t, before)
	})
}
