package session_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
)

// listener is a service behind the host that serves one connection.
func listener(t *testing.T, serve func(*net.TCPConn)) session.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		if c, err := l.Accept(); err == nil {
			serve(c.(*net.TCPConn))
		}
	}()
	return session.Target{Host: "127.0.0.1", Port: uint32(l.Addr().(*net.TCPAddr).Port)}
}

func forward(t *testing.T, srv *sshtest.Server, target session.Target) (*caller, chan struct{}) {
	t.Helper()
	c := newCaller(t)
	f, err := session.OpenStdioForward(t.Context(), srv.Link(t, nil), target, c.files)
	require.NoError(t, err)
	over := make(chan struct{})
	f.Start(func() { close(over) })
	return c, over
}

func TestStdioForward(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	c, over := forward(t, srv, listener(t, func(c *net.TCPConn) {
		// Until the half-close arrives; not by splice(2), whose pipes Go keeps.
		io.Copy(c, struct{ io.Reader }{c})
		c.Close()
	}))
	io.WriteString(c.in, "there and back")
	c.in.Close()
	got, err := io.ReadAll(c.out)
	require.NoError(t, err)
	require.Equal(t, "there and back", string(got))
	<-over
}

func TestStdioForwardEndsWithTheHostsOutput(t *testing.T) {
	srv := sshtest.NewServer(t)
	c, over := forward(t, srv, listener(t, func(c *net.TCPConn) {
		io.WriteString(c, "bye")
		c.CloseWrite()
	}))
	got, err := io.ReadAll(c.out)
	require.NoError(t, err)
	require.Equal(t, "bye", string(got))
	<-over // although the caller's input is still open
}

func TestStdioForwardRefused(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Refuse("direct-tcpip")
	c := newCaller(t)
	_, err := session.OpenStdioForward(t.Context(), srv.Link(t, nil), session.Target{Host: "h", Port: 70000}, c.files)
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	_, err = io.ReadAll(c.out)
	require.NoError(t, err)
}

func TestTargets(t *testing.T) {
	require.Equal(t, "[h]:22", session.Target{Host: "h", Port: 22}.String())
	require.Equal(t, "/run/s", session.Target{Path: "/run/s"}.String())
}
