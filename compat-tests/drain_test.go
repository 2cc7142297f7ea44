package compat

import (
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The path is free at once, and the command returns when the last session has ended.
func TestDrain(t *testing.T) {
	onlyOurs(t, "ssh -O has no drain", Setup{}, func(t *testing.T, m *Master) {
		first, in1, _ := heldSession(t, m, "cat; exit 3")
		second, in2, out2 := heldSession(t, m, "cat; exit 4")
		term := newTerminal(t)
		drain := term.Start(t, nil, m.Command("-O", "drain", Target)...)
		term.Expect(t, "2 sessions still run")
		require.False(t, exists(m.Control), "the socket is still there")
		require.NoError(t, in1.Close())
		require.Equal(t, 3, first.Wait(t))
		term.Expect(t, "1 session still runs")
		require.True(t, drain.Running())
		_, err := in2.WriteString("still served\n")
		require.NoError(t, err)
		expect(t, out2, "still served\n")
		require.NoError(t, in2.Close())
		require.Equal(t, 4, second.Wait(t))
		require.Equal(t, 0, drain.Wait(t))
		m.Wait(t)
	})
}

// Forwarded connections are waited for too: they keep the master.
func TestDrainWaitsForForwardedConnections(t *testing.T) {
	port, service := freePort(t), newService(t)
	onlyOurs(t, "ssh -O has no drain", Setup{Options: []string{"-L", fmt.Sprintf("127.0.0.1:%d:%s", port, service.Addr())}}, func(t *testing.T, m *Master) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		require.NoError(t, err)
		served, err := service.Accept()
		require.NoError(t, err)
		require.Equal(t, 1, m.List(t).Forwards[0].Connections)
		term := newTerminal(t)
		drain := term.Start(t, nil, m.Command("-O", "drain", Target)...)
		term.Expect(t, "1 forwarded connection still runs")
		require.NoError(t, conn.Close())
		require.NoError(t, served.Close())
		require.Equal(t, 0, drain.Wait(t))
		m.Wait(t)
	})
}

func newService(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Whoever is tired of waiting changes nothing.
func TestDrainInterrupted(t *testing.T) {
	onlyOurs(t, "ssh -O has no drain", Setup{}, func(t *testing.T, m *Master) {
		session, in, out := heldSession(t, m, "cat; exit 3")
		term := newTerminal(t)
		drain := term.Start(t, nil, m.Command("-O", "drain", Target)...)
		term.Expect(t, "1 session still runs")
		term.Type(t, "\x03")
		require.Equal(t, 128+int(syscall.SIGINT), drain.Wait(t))
		_, err := in.WriteString("still served\n")
		require.NoError(t, err)
		expect(t, out, "still served\n")
		require.NoError(t, in.Close())
		require.Equal(t, 3, session.Wait(t))
		m.Wait(t)
	})
}

func TestDrainOfAnother(t *testing.T) {
	t.Parallel()
	m := newMaster(t, Stock, Setup{})
	session, in, _ := heldSession(t, m, "cat; exit 3")
	r := run(t, Command{Args: []string{sshMaster(t), "-F", m.Server.Config, "-O", "drain", Target}})
	require.Equal(t, Result{Stderr: fmt.Sprintf(
		"Stop listening request sent. The master (pid=%d) is not an ssh-master: it does not tell what still runs.\r\n", m.PID())}, r)
	require.False(t, exists(m.Control), "the socket is still there")
	require.NoError(t, in.Close())
	require.Equal(t, 3, session.Wait(t))
	m.Wait(t)
}
