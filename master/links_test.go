package master_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// succeeds runs a session on the master.
func (s *serving) succeeds(t *testing.T) {
	t.Helper()
	ses, in := s.session(t, "exit 3")
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, exit.Status)
}

func (s *serving) info(t *testing.T) string {
	t.Helper()
	text, err := s.dial(t).Info(t.Context(), "connection")
	require.NoError(t, err)
	return text
}

// cut ends every connection to the server.
func cut(srv *sshtest.Server) {
	for _, c := range srv.Conns() {
		c.Close()
	}
}

func TestOutlivesItsLink(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	ses, _ := m.session(t, "cat")
	cut(srv)
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.False(t, exit.Known)
	require.Regexp(t, "no connection: Connection to 127.0.0.1 (closed by remote host|lost: Connection reset by peer)", m.info(t))
	m.succeeds(t)
	require.Equal(t, 2, srv.Counts().Logins)
	require.Contains(t, m.info(t), "  link 2 up, age 00:00:00, round trip ")
}

func TestForwardsOutliveTheirLink(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	port := greeter(t)
	m := start(t, srv)
	there, err := m.dial(t).OpenForward(t.Context(), muxproto.Forward{
		Type: muxproto.ForwardRemote, ListenHost: "127.0.0.1", ConnectHost: "127.0.0.1", ConnectPort: uint32(port),
	})
	require.NoError(t, err)
	answers := func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", there))
		if err != nil {
			return false
		}
		defer c.Close()
		n, _ := c.Read(make([]byte, 1))
		return n == 1
	}
	require.True(t, answers())
	cut(srv)
	require.Eventually(t, func() bool { return srv.Counts().Logins == 2 && answers() }, patience, tick, "nobody asked for it")
}

func TestLazyConnect(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	port := greeter(t)
	m := start(t, srv, "LazyConnect=yes", fmt.Sprintf("RemoteForward=127.0.0.1:0 127.0.0.1:%d", port))
	require.Zero(t, srv.Counts().Connections)
	require.Contains(t, m.info(t), "no connection: not connected to 127.0.0.1")
	m.succeeds(t)
	srv.Log().Await(t, "global tcpip-forward 127.0.0.1:0")
}

func TestLazyConnectToNobody(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv, "LazyConnect=yes", "Port=1")
	_, err := m.open(t, "true")
	require.ErrorContains(t, err, "ssh: connect to host 127.0.0.1 port 1: Connection refused")
}

func TestDrain(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t), "ExitMode=drain")
	ses, in := m.session(t, "exit 3")
	c := m.dial(t)
	require.NoError(t, c.Terminate(t.Context()))
	c.Close()
	require.Eventually(t, func() bool { _, err := os.Lstat(m.path); return errors.Is(err, os.ErrNotExist) }, patience, tick)
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, exit.Status)
	require.ErrorIs(t, <-m.end, master.ErrTerminated)
}

func TestRotate(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	port := greeter(t)
	m := start(t, srv)
	_, err := m.dial(t).OpenForward(t.Context(), muxproto.Forward{
		Type: muxproto.ForwardRemote, ListenHost: "127.0.0.1", ConnectHost: "127.0.0.1", ConnectPort: uint32(port),
	})
	require.NoError(t, err)
	ses, in := m.session(t, "cat")
	text, err := m.dial(t).Info(t.Context(), "rotate@ssh-master")
	require.NoError(t, err)
	require.Equal(t, "new sessions use a new connection", text)
	m.succeeds(t)
	require.Contains(t, m.info(t), "link 1 takes no new sessions, ")
	srv.Log().AwaitFunc(t, "the new connection listens", func(events []sshtest.Event) bool {
		return slices.ContainsFunc(events, func(e sshtest.Event) bool {
			return e.Conn == 2 && strings.HasPrefix(e.String(), "global tcpip-forward 127.0.0.1:") && !e.Refused
		})
	})
	require.Contains(t, srv.Log().String(), "cancel-tcpip-forward")
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.Zero(t, exit.Status)
	require.True(t, exit.Known)
	require.Eventually(t, func() bool { return !strings.Contains(m.info(t), "link 1 ") }, patience, tick)
}
