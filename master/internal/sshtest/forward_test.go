package sshtest_test

import (
	"io"
	"net"
	"path/filepath"
	"testing"

	"sshmaster/master/internal/sshtest"

	"github.com/stretchr/testify/require"
)

// echo answers each connection with what it sent, after it has sent all: half-close must work.
func echo(t *testing.T, l net.Listener) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				all, _ := io.ReadAll(nc)
				nc.Write(all)
			}()
		}
	}()
}

func exchange(t *testing.T, rw io.ReadWriter) {
	t.Helper()
	_, err := rw.Write([]byte("there and back"))
	require.NoError(t, err)
	require.NoError(t, rw.(interface{ CloseWrite() error }).CloseWrite())
	all, err := io.ReadAll(rw)
	require.NoError(t, err)
	require.Equal(t, "there and back", string(all))
}

func TestDirect(t *testing.T) {
	sshtest.NoLeaks(t)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echo(t, tcp)
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	echo(t, unix)

	srv := sshtest.NewServer(t)
	c := client(t, srv)
	for _, l := range []net.Listener{tcp, unix} {
		nc, err := c.Dial(l.Addr().Network(), l.Addr().String())
		require.NoError(t, err)
		exchange(t, nc)
		nc.Close()
	}
	srv.Log().AwaitN(t, 2, "close")
	tcp.Close()
	_, err = c.Dial("tcp", tcp.Addr().String())
	require.Error(t, err)
	srv.Refuse("direct-tcpip")
	_, err = c.Dial("tcp", tcp.Addr().String())
	require.ErrorContains(t, err, "prohibited")
	require.Contains(t, srv.Log().Channel(1), "open direct-tcpip "+tcp.Addr().String())
}

// TestDirectLeftOpen checks that a connection through the server does not outlive its client.
func TestDirectLeftOpen(t *testing.T) {
	sshtest.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	srv := sshtest.NewServer(t)
	c := client(t, srv)
	_, err = c.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	nc, err := l.Accept()
	require.NoError(t, err)
	defer nc.Close()
	c.Close()
	_, err = io.ReadAll(nc)
	require.NoError(t, err)
}

func TestRemote(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	c := client(t, srv)
	tcp, err := c.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "s")
	unix, err := c.ListenUnix(path)
	require.NoError(t, err)
	for _, l := range []net.Listener{tcp, unix} {
		echo(t, l)
		nc, err := net.Dial(l.Addr().Network(), l.Addr().String())
		require.NoError(t, err)
		exchange(t, nc)
		nc.Close()
	}
	_, err = c.ListenUnix(path)
	require.Error(t, err, "taken")
	require.NoError(t, tcp.Close())
	_, err = net.Dial("tcp", tcp.Addr().String())
	require.Error(t, err, "cancelled")
	c.Close()
	srv.Log().Await(t, "disconnect")
	require.NoFileExists(t, path)
	require.Equal(t, []string{
		"global tcpip-forward 127.0.0.1:0", "global streamlocal-forward@openssh.com " + path,
		"global streamlocal-forward@openssh.com " + path + " refused", "global cancel-tcpip-forward " + tcp.Addr().String(),
	}, srv.Log().Kinds(sshtest.KindGlobal))
}

func TestRemoteRefused(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Refuse("tcpip-forward")
	_, err := client(t, srv).Listen("tcp", "127.0.0.1:0")
	require.Error(t, err)
}
