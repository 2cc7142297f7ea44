package master_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// onDemand starts a master that is simply there.
func onDemand(t *testing.T, srv *sshtest.Server, options ...string) *serving {
	t.Helper()
	return startWith(t, master.Options{Host: resolve(t, srv, options...), OnDemand: true})
}

// rests waits until the master has no connection to srv any more.
func (s *serving) rests(t *testing.T, srv *sshtest.Server) {
	t.Helper()
	require.Eventually(t, func() bool { return len(srv.Conns()) == 0 && s.Idle() }, patience, tick)
	select {
	case err := <-s.end:
		require.FailNow(t, "the master has ended", "%v", err)
	default:
	}
}

func TestOnDemand(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := onDemand(t, srv, "ControlPersist=1")
	require.Zero(t, srv.Counts().Connections)
	require.True(t, m.Idle())
	for logins := range 3 {
		m.succeeds(t)
		require.Equal(t, logins+1, srv.Counts().Logins)
		m.rests(t, srv)
	}
	require.Contains(t, m.info(t), "no connection: not connected to 127.0.0.1")
}

func TestOnDemandStaysBusy(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := onDemand(t, srv, "ControlPersist=1")
	ses, in := m.session(t, "cat")
	require.False(t, m.Idle())
	time.Sleep(1200 * time.Millisecond) // what must not happen has no other bound
	require.Len(t, srv.Conns(), 1)
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, exit.Known)
	m.rests(t, srv)
}

func listens(path string) bool {
	c, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// What the configuration forwards comes and goes with the links.
func TestForwardsOnDemand(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	echo := greeter(t)
	own := controlPath(t) // a port may be taken meanwhile
	m := onDemand(t, srv, "ControlPersist=1", "StreamLocalBindUnlink=yes", fmt.Sprintf("LocalForward=%s 127.0.0.1:%d", own, echo),
		fmt.Sprintf("RemoteForward=127.0.0.1:0 127.0.0.1:%d", echo))
	require.False(t, listens(own))
	for before := range 2 {
		m.succeeds(t)
		srv.Log().Await(t, "global tcpip-forward 127.0.0.1:0")
		require.Eventually(t, func() bool { return listens(own) }, patience, tick)
		m.rests(t, srv)
		require.False(t, listens(own))
		require.Equal(t, before+1, srv.Counts().Logins, "nobody wants what is closed with the link")
	}
}

// Who comes at the very moment at which the master goes to rest is served like
// anybody else.
func TestRestAtAnyMoment(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m, err := master.New(master.Options{Host: resolve(t, srv, "ControlPersist=1"), Control: controlPath(t), OnDemand: true})
	require.NoError(t, err)
	m.PersistFor(3 * time.Millisecond)
	require.NoError(t, m.Start(t.Context()))
	s := &serving{Master: m, path: m.Path(), end: make(chan error, 1)}
	go func() { s.end <- m.Serve(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() { m.Shutdown(context.Background()) })
	for range 150 {
		s.succeeds(t)
		time.Sleep(time.Duration(rand.IntN(6000)) * time.Microsecond)
	}
	require.Greater(t, srv.Counts().Logins, 1, "it has never rested")
	s.rests(t, srv)
}

// A forward that somebody asked for ends with the links, as it does with a stock master whose time has come.
func TestForwardsEndAtRest(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := onDemand(t, srv, "ControlPersist=1", "StreamLocalBindUnlink=yes")
	path, to := controlPath(t), uint32(greeter(t))
	for logins := range 2 {
		c := m.dial(t)
		for _, f := range []muxproto.Forward{
			{Type: muxproto.ForwardRemote, ListenHost: "127.0.0.1", ConnectHost: "127.0.0.1", ConnectPort: to},
			{Type: muxproto.ForwardLocal, ListenHost: path, ListenPort: muxproto.PortStreamLocal, ConnectHost: "127.0.0.1", ConnectPort: to},
		} {
			_, err := c.OpenForward(t.Context(), f)
			require.NoError(t, err)
		}
		require.True(t, listens(path))
		require.False(t, m.Idle())
		require.NoError(t, c.Close())
		m.rests(t, srv)
		require.False(t, listens(path))
		require.Equal(t, logins+1, srv.Counts().Logins)
	}
}
