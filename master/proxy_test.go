package master_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
)

// join is a Go program that is a proxy slave, until the test ends.
func (m *serving) join(t *testing.T) *ssh.Client {
	t.Helper()
	sock, err := net.Dial("unix", m.path)
	require.NoError(t, err)
	conn, chans, reqs, err := ssh.NewControlClientConn(sock)
	require.NoError(t, err)
	client := ssh.NewClient(conn, chans, reqs)
	t.Cleanup(func() { client.Close() })
	return client
}

// A Go program joins the master as x/crypto/ssh offers it.
func TestControlClient(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	client := m.join(t)

	ses, err := client.NewSession()
	require.NoError(t, err)
	var exit *ssh.ExitError
	require.ErrorAs(t, ses.Run("exit 6"), &exit)
	require.Equal(t, 6, exit.ExitStatus())

	l, err := client.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		if c, err := l.Accept(); err == nil {
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	requireGreeting(t, l.Addr().(*net.TCPAddr).Port)
	require.NoError(t, l.Close())
	require.Equal(t, 1, srv.Counts().Logins)
}
