package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/proxy"
	passenger "sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

const (
	patience = 20 * time.Second
	tick     = 2 * time.Millisecond
)

// A testMaster is a control socket whose slaves may only go over to PROXY mode,
// with one link to a server behind it.
type testMaster struct {
	path    string
	host    *sshtest.Server
	link    *sshtest.Link
	remotes *remotes
	busy    atomic.Int64
	ends    chan error // what Serve returned, in that order
}

func newMaster(t testing.TB, opts ...sshtest.Option) *testMaster {
	t.Helper()
	sshtest.NoLeaks(t)
	m := &testMaster{host: sshtest.NewServer(t, opts...), ends: make(chan error, 100)}
	m.remotes = &remotes{all: make(map[string]func(ssh.NewChannel))}
	m.link = m.host.Link(t, map[string]func(ssh.NewChannel){
		"forwarded-tcpip":                   m.remotes.route,
		"forwarded-streamlocal@openssh.com": m.remotes.route,
	})
	m.remotes.link = m.link
	m.listen(t)
	return m
}

func (m *testMaster) config() proxy.Config {
	return proxy.Config{
		Opener: m.link, Remotes: m.remotes, Log: slog.New(slog.DiscardHandler),
		Busy: func() func() {
			m.busy.Add(1)
			return func() { m.busy.Add(-1) }
		},
	}
}

// listen accepts slaves as a real master does.
func (m *testMaster) listen(t testing.TB) {
	dir, err := os.MkdirTemp("", "px")
	require.NoError(t, err)
	m.path = filepath.Join(dir, "s")
	l, err := control.Listen(m.path, dir, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server := control.New(control.Config{
		Opener: func(control.Wish) passenger.Opener { return m.link }, PID: os.Getpid(), SlaveTimeout: patience, Host: "host", Log: slog.New(slog.DiscardHandler),
		Busy: func() func() { return func() {} },
		Proxy: func(ctx context.Context, _ control.Wish, conn *muxproto.Conn) error {
			err := proxy.Serve(ctx, conn, m.config())
			m.ends <- err
			return err
		},
	})
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
		server.Close()
		os.RemoveAll(dir)
	})
}

// client attaches as golang.org/x/crypto/ssh does.
func (m *testMaster) client(t testing.TB) *ssh.Client {
	t.Helper()
	nc, err := net.Dial("unix", m.path)
	require.NoError(t, err)
	conn, chans, reqs, err := ssh.NewControlClientConn(nc)
	require.NoError(t, err)
	c := ssh.NewClient(conn, chans, reqs)
	t.Cleanup(func() {
		c.Close()
		c.Wait()
	})
	return c
}

// session opens a session on a client.
func session(t testing.TB, c *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := c.NewSession()
	require.NoError(t, err)
	return s
}

// alive checks that the master still serves, with a new slave.
func (m *testMaster) alive(t *testing.T) {
	t.Helper()
	c := m.client(t)
	out, err := session(t, c).Output("echo alive")
	require.NoError(t, err)
	require.Equal(t, "alive\n", string(out))
	require.NoError(t, c.Close())
}

// idle waits until no channel keeps the master busy, and the host has none.
func (m *testMaster) idle(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return m.busy.Load() == 0 && m.host.Counts().OpenChannels == 0
	}, patience, tick)
}

// remotes is the table of what the host listens on, without any care for links
// that end.
type remotes struct {
	link *sshtest.Link

	mu  sync.Mutex
	all map[string]func(ssh.NewChannel)
}

type tcpPlace struct {
	Host string
	Port uint32
}

func (r *remotes) Listen(ctx context.Context, host string, port uint32, accept func(ssh.NewChannel)) (uint32, error) {
	name, payload := "tcpip-forward", ssh.Marshal(tcpPlace{host, port})
	if port == muxproto.PortStreamLocal {
		name, payload = "streamlocal-forward@openssh.com", ssh.Marshal(struct{ Path string }{host})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ok, reply, err := r.link.SendRequest(ctx, name, true, payload)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, errors.New("refused by the host")
	}
	if port == 0 {
		var chosen struct{ Port uint32 }
		if err := ssh.Unmarshal(reply, &chosen); err != nil {
			return 0, err
		}
		port = chosen.Port
	}
	r.all[key(host, port)] = accept
	return port, nil
}

func (r *remotes) Cancel(ctx context.Context, host string, port uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, key(host, port))
	name, payload := "cancel-tcpip-forward", ssh.Marshal(tcpPlace{host, port})
	if port == muxproto.PortStreamLocal {
		name, payload = "cancel-streamlocal-forward@openssh.com", ssh.Marshal(struct{ Path string }{host})
	}
	_, _, err := r.link.SendRequest(ctx, name, false, payload)
	return err
}

// route gives a channel of the host's to whoever listens.
func (r *remotes) route(nc ssh.NewChannel) {
	var tcp struct {
		Host string
		Port uint32
		Rest []byte `ssh:"rest"`
	}
	port := uint32(muxproto.PortStreamLocal)
	if err := ssh.Unmarshal(nc.ExtraData(), &tcp); err == nil && nc.ChannelType() == "forwarded-tcpip" {
		port = tcp.Port
	}
	r.mu.Lock()
	accept := r.all[key(tcp.Host, port)]
	r.mu.Unlock()
	if accept == nil {
		nc.Reject(ssh.Prohibited, "open failed")
		return
	}
	accept(nc)
}

func key(host string, port uint32) string { return fmt.Sprintf("%s %d", host, port) }
