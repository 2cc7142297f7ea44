package upstream_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
)

// roundTrip sends data through an echo session and checks what comes back.
func roundTrip(ch ssh.Channel, data []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := ch.Write(data)
		if err == nil {
			err = ch.CloseWrite()
		}
		sent <- err
	}()
	back, err := io.ReadAll(ch)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(data, back):
		return fmt.Errorf("%d bytes sent, %d other bytes came back", len(data), len(back))
	}
	return <-sent
}

func TestServerRekeysUnderLoad(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo), sshtest.Configure(func(c *ssh.ServerConfig) {
		c.RekeyThreshold = 256 << 10
	}))
	checks := 0
	o := optionsAt(t, srv, srv.Addr())
	o.Verifier = trust{key: srv.HostKey(), check: func(context.Context) error { checks++; return nil }}
	l := dial(t, o)
	data := make([]byte, 4<<20)
	_, _ = rand.Read(data)

	results := make(chan error, 4)
	for range cap(results) {
		ch := session(t, l)
		go func() { results <- roundTrip(ch, data) }()
	}
	for range cap(results) {
		require.NoError(t, <-results)
	}
	require.NoError(t, l.Close())
	require.Equal(t, 1, checks, "a rekey with the same key asks nothing")
}

func TestManyIncomingRequests(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	o := optionsAt(t, srv, srv.Addr())
	announced := make(chan []byte, 10)
	o.HostKeys = func(_ *upstream.Link, keys []byte) { announced <- keys }
	l := dial(t, o)
	server := serverSide(t, srv)

	for i := range 100 {
		_, _, err := server.SendRequest("nonsense@example.com", false, []byte{byte(i)})
		require.NoError(t, err)
	}
	for range 20 {
		ok, _, err := server.SendRequest("keepalive@openssh.com", true, nil)
		require.NoError(t, err)
		require.False(t, ok)
	}
	for range 3 {
		_, _, err := server.SendRequest("hostkeys-00@openssh.com", false, []byte("keys"))
		require.NoError(t, err)
	}
	require.Equal(t, "keys", string(<-announced))
	require.NoError(t, roundTrip(session(t, l), []byte("still here")))
	require.Empty(t, announced, "announced once")
}

func TestIncomingChannels(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Channels = map[string]func(ssh.NewChannel){"greeting": func(nc ssh.NewChannel) {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		_, _ = ch.Write(nc.ExtraData())
		_ = ch.Close()
	}}
	dial(t, o)
	server := serverSide(t, srv)

	ch, err := server.OpenChannel("greeting", []byte("hello"))
	require.NoError(t, err)
	got, err := io.ReadAll(ch)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))

	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			_, err := server.OpenChannel("tun@openssh.com", nil)
			refused, ok := err.(*ssh.OpenChannelError)
			if !ok || refused.Reason != ssh.Prohibited || refused.Message != "open failed" {
				t.Errorf("an unknown channel: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestOpenRefused(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.MaxSessions(1), sshtest.Handle(echo))
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	session(t, l)
	_, _, err := l.OpenChannel(within(t), "session", nil)
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ssh.ConnectionFailed, refused.Reason)
	require.Equal(t, "open failed", refused.Message)
}

func TestOpenNeverAnswered(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	release := srv.Hold("session")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, _, err := l.OpenChannel(ctx, "session", nil)
		failed <- err
	}()
	soon(t, "the server was asked", func() bool { return srv.Counts().Channels == 1 })
	cancel()
	err := <-failed
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, err.Error(), "open session channel: ")

	// The confirmation comes too late: the channel is closed again.
	release()
	soon(t, "the late channel is closed", func() bool {
		for _, e := range srv.Log().Channel(1) {
			if e == "close" {
				return true
			}
		}
		return false
	})
	require.NoError(t, roundTrip(session(t, l), []byte("the link is as good as before")))

	_, _, err = l.OpenChannel(ctx, "session", nil)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = l.SendRequest(ctx, "anything", true, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRequests(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	ok, _, err := l.SendRequest(within(t), "nonsense@example.com", true, nil)
	require.NoError(t, err)
	require.False(t, ok)
	_, err = l.Ping(within(t))
	require.NoError(t, err)
	require.NotZero(t, l.Info().RoundTrip)

	release := srv.Hold("tcpip-forward")
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, _, err := l.SendRequest(ctx, "tcpip-forward", true, ssh.Marshal(struct {
			Host string
			Port uint32
		}{"127.0.0.1", 0}))
		failed <- err
	}()
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
}

// waiters starts calls of every kind that cannot finish and returns how each
// ends.
func waiters(t *testing.T, srv *sshtest.Server, l *upstream.Link) (results <-chan error, n int) {
	t.Helper()
	read := session(t, l)
	srv.Hold("session")
	srv.Hold("tcpip-forward")
	n = 31
	ends := make(chan error, n)
	for range 20 {
		go func() {
			_, _, err := l.OpenChannel(context.Background(), "session", nil)
			ends <- err
		}()
	}
	for range 10 {
		go func() {
			_, _, err := l.SendRequest(context.Background(), "tcpip-forward", true, ssh.Marshal(struct {
				Host string
				Port uint32
			}{"127.0.0.1", 0}))
			ends <- err
		}()
	}
	go func() {
		_, err := io.Copy(io.Discard, read)
		if err == nil {
			<-l.Done()
			err = l.Err()
		}
		ends <- err
	}()
	soon(t, "the server was asked", func() bool { return srv.Counts().Channels == 21 })
	return ends, n
}

func TestLostLinkReleasesEveryWaiter(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	relay := sshtest.NewRelay(t, srv.Addr())
	l := dial(t, optionsAt(t, srv, relay.Addr()))
	results, n := waiters(t, srv, l)
	relay.Cut()
	for range n {
		require.ErrorIs(t, <-results, upstream.ErrRemoteClosed)
	}
	require.ErrorIs(t, ended(t, l), upstream.ErrRemoteClosed)
	require.Contains(t, l.Err().Error(), "onnection")
	_, _, err := l.OpenChannel(within(t), "session", nil)
	require.ErrorIs(t, err, upstream.ErrRemoteClosed)
	_, _, err = l.SendRequest(within(t), "anything", true, nil)
	require.ErrorIs(t, err, upstream.ErrRemoteClosed)
}

func TestServerGoes(t *testing.T) {
	srv := sshtest.NewServer(t)
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	srv.Close()
	require.Equal(t, "Connection to 127.0.0.1 closed by remote host.", ended(t, l).Error())
}

func TestCloseReleasesEveryWaiter(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	results, n := waiters(t, srv, l)
	require.NoError(t, l.Close())
	for range n {
		require.ErrorIs(t, <-results, upstream.ErrClosed)
	}
	require.ErrorIs(t, l.Err(), upstream.ErrClosed)
	require.NoError(t, l.Close())
}

func TestCloseDeliversWhatWasSent(t *testing.T) {
	received := make(chan []byte, 1)
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		got, _ := io.ReadAll(s)
		received <- got
	}))
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	ch := session(t, l)
	data := make([]byte, 1<<20)
	_, err := ch.Write(data)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Len(t, <-received, len(data))
}

func TestUnreadRequestsHoldNobodyBack(t *testing.T) {
	sshtest.NoLeaks(t)
	flooded := make(chan struct{})
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		for range 100 {
			_ = s.ExitStatus(0)
		}
		close(flooded)
		<-s.Done()
	}))
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	_, reqs, err := l.OpenChannel(within(t), "session", nil)
	require.NoError(t, err)
	<-flooded // nobody reads them: the library has stopped
	waiting := make(chan error)
	go func() {
		_, err := l.Ping(context.Background())
		waiting <- err
	}()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-waiting, upstream.ErrClosed)
	require.ErrorIs(t, l.Err(), upstream.ErrClosed)
	ssh.DiscardRequests(reqs)
}

// A failing connection reads well until it is told with what error to end.
type failingConn struct {
	net.Conn
	mu  sync.Mutex
	err error
}

func (c *failingConn) fail(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	_ = c.SetReadDeadline(time.Unix(1, 0))
}

func (c *failingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.err != nil {
		err = c.err
	}
	return n, err
}

func TestWordsOfTheEnd(t *testing.T) {
	for _, tc := range []struct {
		end  error
		is   error
		text string
	}{
		{errors.New(`ssh: disconnect, reason 2: "Too much\n\x1b[2J"`), upstream.ErrRemoteClosed, `Received disconnect from 127.0.0.1 port 22:2: Too much??[2J`},
		{io.EOF, upstream.ErrRemoteClosed, "Connection to 127.0.0.1 closed by remote host."},
		{syscall.EHOSTUNREACH, upstream.ErrRemoteClosed, "Connection to 127.0.0.1 lost: No route to host"},
		{syscall.ETIMEDOUT, upstream.ErrTimeout, "Timeout, server 127.0.0.1 not responding."},
		{errors.New("ssh: \x07odd"), upstream.ErrRemoteClosed, "Connection to 127.0.0.1 lost: ?odd"},
	} {
		ours, theirs := sshtest.Pipe(t)
		srv := sshtest.NewServerOn(t, theirs)
		o := optionsAt(t, srv, "127.0.0.1:22")
		nc := &failingConn{Conn: ours}
		o.Connect = func(context.Context) (net.Conn, error) { return nc, nil }
		l := dial(t, o)
		require.True(t, l.Info().Proxied)
		nc.fail(tc.end)
		require.ErrorIs(t, ended(t, l), tc.is)
		require.Equal(t, tc.text, l.Err().Error())
	}
}
