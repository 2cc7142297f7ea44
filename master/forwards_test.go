package master_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// greeter is a service that says hello to whoever connects.
func greeter(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveOn(t, l, func(c net.Conn) { io.WriteString(c, "hello") })
	return l.Addr().(*net.TCPAddr).Port
}

// serveOn serves each who connects, until the test ends.
func serveOn(t *testing.T, l net.Listener, serve func(net.Conn)) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
}

func requireGreeting(t *testing.T, port int) {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer c.Close()
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
}

func TestForwardsOfTheConfigurationAreOpenWhenStartReturns(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	local, remote, target := sshtest.FreePort(t), sshtest.FreePort(t), greeter(t)
	start(t, srv,
		fmt.Sprintf("LocalForward=%d 127.0.0.1:%d", local, target),
		fmt.Sprintf("RemoteForward=%d 127.0.0.1:%d", remote, target))
	requireGreeting(t, local)
	requireGreeting(t, remote)
}

func TestForwardsOfSlaves(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	port, err := m.dial(t).OpenForward(t.Context(), muxproto.Forward{
		Type: muxproto.ForwardRemote, ConnectHost: "127.0.0.1", ConnectPort: uint32(greeter(t)),
	})
	require.NoError(t, err)
	requireGreeting(t, int(port))
}

func TestForwardedConnectionsAreListed(t *testing.T) {
	sshtest.NoLeaks(t)
	local := sshtest.FreePort(t)
	m := start(t, sshtest.NewServer(t), fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:%d", local, silent(t)))
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", local))
	require.NoError(t, err)
	defer c.Close()
	require.Eventually(t, func() bool {
		text, err := m.dial(t).Info(t.Context(), "channels")
		return err == nil && strings.Contains(text, fmt.Sprintf("direct-tcpip: listening port %d for 127.0.0.1 port ", local)) &&
			strings.Contains(text, "(t4 [direct-tcpip] ")
	}, patience, tick)
}

// silent is a service that says nothing and hears nothing.
func silent(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestExitOnForwardFailure(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	taken := greeter(t)
	for _, option := range []string{"LocalForward", "RemoteForward"} {
		path := controlPath(t)
		host := resolve(t, srv, "ExitOnForwardFailure=yes", fmt.Sprintf("%s=127.0.0.1:%d localhost:1", option, taken))
		m, err := master.New(master.Options{Host: host, Control: path})
		require.NoError(t, err)
		require.ErrorContains(t, m.Start(t.Context()), "forwarding failed")
		require.NoFileExists(t, path)
	}
	start(t, srv, fmt.Sprintf("LocalForward=127.0.0.1:%d localhost:1", taken)) // a warning
}
