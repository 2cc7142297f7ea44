package forward_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// A route is the link of the moment.
type route struct {
	mu   sync.Mutex
	link *sshtest.Link
}

func (r *route) now() *sshtest.Link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link
}

func (r *route) use(l *sshtest.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.link = l
}

func (r *route) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return r.now().OpenChannel(ctx, name, extra)
}

func (r *route) SendRequest(ctx context.Context, name string, want bool, payload []byte) (bool, []byte, error) {
	return r.now().SendRequest(ctx, name, want, payload)
}

// newRouted is a stand whose link can be exchanged.
func newRouted(t *testing.T) (*stand, *route) {
	r := new(route)
	s := newStand(t, func(c *forward.Config) {
		r.use(c.Opener.(*sshtest.Link))
		c.Opener, c.Requester, c.RetryTime = r, r, 10*time.Millisecond
	})
	return s, r
}

// Redial: local forwards listen on, remote ones are asked for again, and the
// host's own choice of a port stays.
func TestRenew(t *testing.T) {
	sshtest.NoLeaks(t)
	s, r := newRouted(t)
	host, target := service(t, echo)
	onHost := remote(freePort(t), host, target)
	s.open(t, onHost)
	chosen := s.open(t, remote(0, host, target))
	path := remote(muxproto.PortStreamLocal, host, target)
	path.ListenHost = shortDir(t) + "/s"
	s.open(t, path)
	here := local(freePort(t), host, target)
	s.open(t, here)

	s.link.Close()
	s.srv.Log().Await(t, "disconnect")
	r.use(s.srv.Link(t, s.Remotes().Handlers()))
	require.NoError(t, s.Remotes().Renew(t.Context()))
	converse(t, dial(t, here.ListenPort), "local")
	converse(t, dial(t, onHost.ListenPort), "remote")
	converse(t, dial(t, chosen), "chosen")
	converse(t, dialTo(t, "unix", path.ListenHost), "unix")
	require.Equal(t, chosen, s.open(t, remote(0, host, target)))
	s.srv.Log().AwaitN(t, 1, "global tcpip-forward localhost:"+decimal(chosen))
	for _, l := range s.Listeners() {
		require.False(t, l.Waiting)
	}
	require.NoError(t, s.Cancel(t.Context(), remote(0, host, target)))
	s.srv.Log().Await(t, "global cancel-tcpip-forward localhost:"+decimal(chosen))
}

// What the host refuses at first is asked for until it is granted; a port of the
// host's choice may become another one.
func TestRenewIsRefusedAtFirst(t *testing.T) {
	sshtest.NoLeaks(t)
	s, r := newRouted(t)
	host, target := service(t, echo)
	fixed := remote(freePort(t), host, target)
	s.open(t, fixed)
	any := remote(0, host, target)
	chosen := s.open(t, any)

	s.link.Close()
	s.srv.Log().Await(t, "disconnect")
	taken := occupy(t, chosen)
	r.use(s.srv.Link(t, s.Remotes().Handlers()))
	s.srv.Refuse("tcpip-forward")
	renewed := make(chan error, 1)
	go func() { renewed <- s.Remotes().Renew(context.Background()) }()
	s.srv.Log().AwaitN(t, 3, "global tcpip-forward localhost:"+port(fixed)+" refused")
	waiting := 0
	for _, l := range s.Listeners() {
		if l.Waiting {
			waiting++
		}
	}
	require.Equal(t, 2, waiting)
	s.srv.Accept("tcpip-forward")
	require.NoError(t, <-renewed)
	converse(t, dial(t, fixed.ListenPort), "fixed")
	now := s.open(t, any)
	require.NotEqual(t, chosen, now)
	converse(t, dial(t, now), "moved")
	taken()
	require.NoError(t, s.Cancel(t.Context(), any))
	s.srv.Log().Await(t, "global cancel-tcpip-forward localhost:"+decimal(now))
}

// Renew ends with its context, with its link, and with the next link.
func TestRenewEnds(t *testing.T) {
	sshtest.NoLeaks(t)
	s, r := newRouted(t)
	host, target := service(t, echo)
	s.open(t, remote(freePort(t), host, target))
	s.link.Close()
	require.Error(t, s.Remotes().Renew(t.Context()), "the link is gone")

	r.use(s.srv.Link(t, s.Remotes().Handlers()))
	s.srv.Refuse("tcpip-forward")
	ctx, stop := contextWithCancel(t)
	ended := make(chan error, 2)
	go func() { ended <- s.Remotes().Renew(ctx) }()
	s.srv.Log().AwaitFunc(t, "asked", func([]sshtest.Event) bool {
		return len(s.srv.Log().Kinds(sshtest.KindGlobal)) > 2
	})
	stop()
	require.Error(t, <-ended)

	go func() { ended <- s.Remotes().Renew(t.Context()) }()
	s.srv.Log().AwaitFunc(t, "asked again", func([]sshtest.Event) bool {
		return len(s.srv.Log().Kinds(sshtest.KindGlobal)) > 6
	})
	s.srv.Accept("tcpip-forward")
	require.NoError(t, s.Remotes().Renew(t.Context()))
	<-ended // superseded, or granted just before
}

// Others than the registry use the same table, as proxy slaves do.
func TestListenForOthers(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	type opened struct {
		host string
		port uint32
	}
	got := make(chan opened, 4)
	accept := func(nc ssh.NewChannel) {
		var open struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}
		ssh.Unmarshal(nc.ExtraData(), &open)
		got <- opened{open.Host, open.Port}
		nc.Reject(ssh.ConnectionFailed, "mine")
	}
	remotes := s.Remotes()
	chosen, err := remotes.Listen(t.Context(), forward.At{Host: "127.0.0.1"}, accept)
	require.NoError(t, err)
	_, err = remotes.Listen(t.Context(), forward.At{Host: "127.0.0.1", Port: chosen}, accept)
	require.ErrorIs(t, err, forward.ErrTaken)

	// The owner sees its own name, whatever the host says.
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		_, err = s.openTCP(t, host, chosen)
		requireRefused(t, err, ssh.ConnectionFailed, "mine")
		require.Equal(t, opened{"127.0.0.1", chosen}, <-got)
	}
	require.ErrorIs(t, remotes.Cancel(t.Context(), forward.At{Host: "127.0.0.1"}), forward.ErrNotForwarded)
	require.NoError(t, remotes.Cancel(t.Context(), forward.At{Host: "127.0.0.1", Port: chosen}))
	_, err = s.openTCP(t, "127.0.0.1", chosen)
	requireRefused(t, err, ssh.Prohibited, "open failed")
	require.Empty(t, s.Listeners())

	// By host and port, as proxy slaves name places.
	places, path := remotes.Places(), shortDir(t)+"/s"
	chosen, err = places.Listen(t.Context(), "localhost", 0, accept)
	require.NoError(t, err)
	_, err = places.Listen(t.Context(), path, muxproto.PortStreamLocal, accept)
	require.NoError(t, err)
	closed(t, dialTo(t, "unix", path))
	closed(t, dial(t, chosen))
	require.NoError(t, places.Cancel(t.Context(), path, muxproto.PortStreamLocal))
	require.NoError(t, places.Cancel(t.Context(), "localhost", chosen))
	require.ErrorIs(t, places.Cancel(t.Context(), "localhost", chosen), forward.ErrNotForwarded)
}

// When nobody waits for the answer any more, a place that is granted after all
// is given back.
func TestListenIsAbandoned(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	release := s.srv.Hold("tcpip-forward")
	ctx, leave := contextWithCancel(t)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Remotes().Listen(ctx, forward.At{Host: "localhost"}, func(nc ssh.NewChannel) { nc.Reject(ssh.Prohibited, "") })
		failed <- err
	}()
	s.srv.Log().Await(t, "global tcpip-forward localhost:0")
	leave()
	require.ErrorIs(t, <-failed, context.Canceled)
	release()
	s.srv.Log().AwaitFunc(t, "a cancel", func([]sshtest.Event) bool {
		return len(s.srv.Log().Kinds(sshtest.KindGlobal)) == 2
	})
}

// A connection that comes in before the answer to an open request was read finds
// its way: here the host's choice of a port is still on its way.
func TestChannelBeforeTheAnswer(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	release := s.srv.Hold("tcpip-forward")
	host, target := service(t, echo)
	opened := make(chan uint32, 1)
	go func() {
		chosen, _ := s.Open(context.Background(), remote(0, host, target))
		opened <- chosen
	}()
	s.srv.Log().Await(t, "global tcpip-forward localhost:0")
	refused := make(chan error, 1)
	go func() {
		_, err := s.conn(t).OpenChannel("forwarded-tcpip", ssh.Marshal(struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}{"localhost", 1, "192.0.2.9", 4711}))
		refused <- err
	}()
	release()
	require.NotZero(t, <-opened)
	requireRefused(t, <-refused, ssh.Prohibited, "open failed")
}
