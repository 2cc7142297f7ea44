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

// What the configuration forwards comes and goes with the links; what somebody asks
// for stays.
func TestForwardsOnDemand(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	echo := greeter(t)
	own, asked := controlPath(t), controlPath(t) // a port may be taken meanwhile
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
	f := muxproto.Forward{Type: muxproto.ForwardLocal, ListenHost: asked, ListenPort: muxproto.PortStreamLocal, ConnectHost: "127.0.0.1", ConnectPort: uint32(echo)}
	_, err := m.dial(t).OpenForward(t.Context(), f)
	require.NoError(t, err)
	require.True(t, listens(asked))
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

// A forward at the host that somebody asked for needs a link until it is cancelled.
func TestForwardAtTheHostKeepsTheLinks(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := onDemand(t, srv, "ControlPersist=1")
	f := muxproto.Forward{Type: muxproto.ForwardRemote, ListenHost: "127.0.0.1", ConnectHost: "127.0.0.1", ConnectPort: uint32(greeter(t))}
	ask := func(do func(c *muxproto.Client) error) {
		c, err := muxproto.Dial(t.Context(), m.path)
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, do(c))
	}
	var port uint32
	ask(func(c *muxproto.Client) (err error) { port, err = c.OpenForward(t.Context(), f); return err })
	time.Sleep(1500 * time.Millisecond) // what must not happen has no other bound
	requireGreeting(t, int(port))
	require.Equal(t, 1, srv.Counts().Logins)
	require.False(t, m.Idle())
	cut(srv)
	require.Eventually(t, func() bool { return srv.Counts().Logins == 2 }, patience, tick, "nobody else asks for it")
	ask(func(c *muxproto.Client) error { return c.CloseForward(t.Context(), f) })
	m.rests(t, srv)
}
