package upstream_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
)

// interval is short enough for a test and long enough for a busy machine.
const interval = 200 * time.Millisecond

func TestKeepalive(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Host.ServerAliveInterval, o.Host.ServerAliveCountMax = interval/10, 1000
	l := dial(t, o)
	soon(t, "the server is asked for signs of life", func() bool { return asked(srv) >= 3 })
	require.NoError(t, l.Err())
}

// asked counts the keepalives that a server got.
func asked(srv *sshtest.Server) (n int) {
	for _, e := range srv.Log().Events() {
		if e.Name == "keepalive@openssh.com" {
			n++
		}
	}
	return n
}

func TestIdlePeerGoesSilent(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	relay := sshtest.NewRelay(t, srv.Addr())
	o := optionsAt(t, srv, relay.Addr())
	o.Host.ServerAliveInterval, o.Host.ServerAliveCountMax = interval, 2
	l := dial(t, o)
	results, n := waiters(t, srv, l)
	relay.Freeze()
	for range n {
		require.ErrorIs(t, <-results, upstream.ErrTimeout)
	}
	require.Equal(t, "Timeout, server 127.0.0.1 not responding.", ended(t, l).Error())
	_, _, err := l.OpenChannel(within(t), "session", nil)
	require.ErrorIs(t, err, upstream.ErrTimeout)
}

// flood keeps n channels writing until the link ends. The network freezes before
// the first of them writes.
func flood(t *testing.T, l *upstream.Link, relay *sshtest.Relay, n int) *sync.WaitGroup {
	t.Helper()
	channels := make([]ssh.Channel, n)
	for i := range channels {
		channels[i] = session(t, l)
	}
	relay.Freeze()
	var wg sync.WaitGroup
	for _, ch := range channels {
		wg.Go(func() {
			block := make([]byte, 32<<10)
			for {
				if _, err := ch.Write(block); err != nil {
					return
				}
			}
		})
		wg.Go(func() { _, _ = io.Copy(io.Discard, ch) })
	}
	return &wg
}

func TestBusyPeerGoesSilent(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	relay := sshtest.NewRelay(t, srv.Addr())
	o := optionsAt(t, srv, relay.Addr())
	o.Host.ServerAliveInterval, o.Host.ServerAliveCountMax = interval, 1
	l := dial(t, o)
	writers := flood(t, l, relay, 4)
	require.ErrorIs(t, ended(t, l), upstream.ErrTimeout)
	writers.Wait()
}

func TestStuckWriteWithoutKeepalive(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	relay := sshtest.NewRelay(t, srv.Addr())
	o := optionsAt(t, srv, relay.Addr())
	o.WriteTimeout = 2 * interval
	l := dial(t, o)
	writers := flood(t, l, relay, 16) // more than the buffers on the way can hold
	require.ErrorIs(t, ended(t, l), upstream.ErrTimeout)
	writers.Wait()
}

func TestAnyByteIsASignOfLife(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	release := srv.Hold("keepalive@openssh.com")
	defer release()
	o := optionsAt(t, srv, srv.Addr())
	o.Host.ServerAliveInterval, o.Host.ServerAliveCountMax = 3*interval, 0
	l := dial(t, o)
	ch := session(t, l)
	one := make([]byte, 1)
	for end := time.Now().Add(7 * interval); time.Now().Before(end); time.Sleep(interval / 10) {
		_, err := ch.Write(one)
		require.NoError(t, err)
		_, err = ch.Read(one)
		require.NoError(t, err)
	}
	require.NoError(t, l.Err())
	require.ErrorIs(t, ended(t, l), upstream.ErrTimeout, "without traffic it ends")
}

func TestCloseOfADeadLink(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	relay := sshtest.NewRelay(t, srv.Addr())
	l := dial(t, optionsAt(t, srv, relay.Addr()))
	writers := flood(t, l, relay, 4)
	ctx, cancel := context.WithTimeout(t.Context(), interval)
	defer cancel()
	_, err := l.Ping(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, l.Close())
	writers.Wait()
}

// TinySSH answers no global request: it is sent none, and asked otherwise.
func TestServerWithoutGlobalRequests(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Version("SSH-2.0-tinyssh_20230101 x"))
	l := dial(t, optionsAt(t, srv, srv.Addr()))
	_, err := l.Ping(within(t))
	require.NoError(t, err)
	ok, _, err := l.SendRequest(within(t), "tcpip-forward", true, nil)
	require.NoError(t, err)
	require.False(t, ok)
	require.Empty(t, srv.Log().Kinds(sshtest.KindGlobal))
	require.Equal(t, []string{"open keepalive@openssh.com refused"}, srv.Log().Kinds(sshtest.KindOpen))
	require.NoError(t, l.Err())
}
