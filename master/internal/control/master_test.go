package control_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// A fakeMaster is a control socket with a real server behind it and a record of
// what its slaves asked of the master.
type fakeMaster struct {
	path   string
	pid    int
	server *control.Server
	host   *sshtest.Server
	busy   atomic.Int64

	mu     sync.Mutex
	called []string
}

func (m *fakeMaster) call(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.called = append(m.called, what)
}

func (m *fakeMaster) calls() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.called...)
}

// Forwards that remember.
func (m *fakeMaster) Open(_ context.Context, _ control.Wish, f muxproto.Forward) (uint32, error) {
	m.call("open " + f.String())
	if f.Type == muxproto.ForwardRemote && f.ListenPort == 0 {
		return 4711, nil
	}
	return 0, nil
}
func (m *fakeMaster) Cancel(_ context.Context, f muxproto.Forward) error {
	m.call("cancel " + f.String())
	return nil
}
func (m *fakeMaster) Exists(muxproto.Forward) bool { return false }

// on opens every channel on one link.
func on(link session.Opener) func(control.Wish) session.Opener {
	return func(control.Wish) session.Opener { return link }
}

type option func(*control.Config)

// newMaster listens at path, or at one of its own when that is empty.
func newMaster(t *testing.T, path string, opts ...option) *fakeMaster {
	t.Helper()
	if path == "" {
		path = filepath.Join(shortDir(t), "s")
	}
	m := &fakeMaster{path: path, pid: os.Getpid(), host: sshtest.NewServer(t)}
	cfg := control.Config{
		Opener: on(m.host.Link(t, nil)), Forwards: m,
		SendEnv: []string{"LC_*", "X?"}, SetEnv: []session.Variable{{Name: "SET", Value: "1"}},
		X11: func(context.Context) (*session.X11, error) { return nil, nil }, PID: m.pid, SlaveTimeout: patience, Host: "host",
		Info:          func(name string) (string, bool) { return "about " + name, name == "connection" },
		StopListening: func() { m.call("stop") },
		Terminate:     func() { m.call("terminate") },
		Busy: func() func() {
			m.busy.Add(1)
			return func() { m.busy.Add(-1) }
		},
		Log: quiet,
	}
	for _, o := range opts {
		o(&cfg)
	}
	m.server = control.New(cfg)
	l := listen(t, path)
	var serving sync.WaitGroup
	serving.Go(func() { m.server.Serve(l) })
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
		m.server.Close()
	})
	return m
}

func (m *fakeMaster) dial(t *testing.T) *muxproto.Client {
	t.Helper()
	c, err := muxproto.Dial(t.Context(), m.path)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// raw connects without a word said.
func (m *fakeMaster) raw(t *testing.T) *muxproto.Conn {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: m.path})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return muxproto.NewConn(c)
}

// greeted has exchanged HELLO.
func (m *fakeMaster) greeted(t *testing.T) *muxproto.Conn {
	t.Helper()
	c := m.raw(t)
	require.NoError(t, c.Write(&muxproto.Hello{Version: muxproto.Version}))
	hello, err := c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.Hello{}, hello)
	return c
}
