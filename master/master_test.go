package master_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// How long a test waits for what must come, and how often it looks.
const (
	patience = 10 * time.Second
	tick     = 2 * time.Millisecond
)

// resolve asks the machine's ssh about srv, with further options.
func resolve(t *testing.T, srv *sshtest.Server, options ...string) *master.Host {
	t.Helper()
	files := srv.Files(t)
	args := []string{"-F", files.Config}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	host, err := master.Resolve(t.Context(), master.Query{Args: args, Destination: sshtest.Host})
	require.NoError(t, err)
	return host
}

// controlPath is a path short enough for a socket.
func controlPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "m")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// serving is a master under test.
type serving struct {
	*master.Master
	path string
	end  chan error
}

func start(t *testing.T, srv *sshtest.Server, options ...string) *serving {
	t.Helper()
	return startWith(t, master.Options{Host: resolve(t, srv, options...)})
}

func startWith(t *testing.T, o master.Options) *serving {
	t.Helper()
	s := &serving{path: controlPath(t), end: make(chan error, 1)}
	o.Control, o.Version = s.path, "test"
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	m, err := master.New(o)
	require.NoError(t, err)
	require.NoError(t, m.Start(t.Context()))
	s.Master = m
	go func() { s.end <- m.Serve(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() { m.Shutdown(context.Background()) })
	return s
}

func (s *serving) dial(t *testing.T) *muxproto.Client {
	t.Helper()
	c, err := muxproto.Dial(t.Context(), s.path)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// session opens a session whose input is a pipe and whose output goes nowhere.
func (s *serving) session(t *testing.T, command string) (*muxproto.Session, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	t.Cleanup(func() { w.Close() })
	ses, err := s.openOn(t, command, r)
	require.NoError(t, err)
	return ses, w
}

// open tries to open a session without input.
func (s *serving) open(t *testing.T, command string) (*muxproto.Session, error) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	return s.openOn(t, command, null)
}

func (s *serving) openOn(t *testing.T, command string, stdin *os.File) (*muxproto.Session, error) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	ses, err := s.dial(t).NewSession(t.Context(), muxproto.NewSession{Command: command, EscapeChar: muxproto.NoEscape},
		int(stdin.Fd()), int(null.Fd()), int(null.Fd()))
	if err == nil {
		t.Cleanup(func() { ses.Close() })
	}
	return ses, err
}

func (s *serving) requireGone(t *testing.T) {
	t.Helper()
	_, err := os.Lstat(s.path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSharesOneLogin(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	for range 5 {
		ses, in := m.session(t, "exit 3")
		in.Close()
		exit, err := ses.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 3, exit.Status)
	}
	require.Equal(t, 1, srv.Counts().Logins)
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoError(t, <-m.end)
	m.requireGone(t)
}

func TestTerminate(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	ses, _ := m.session(t, "cat")
	require.NoError(t, m.dial(t).Terminate(t.Context()))
	require.ErrorIs(t, <-m.end, master.ErrTerminated)
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.False(t, exit.Known)
	m.requireGone(t)
}

func TestStopListeningLetsSessionsFinish(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	ses, in := m.session(t, "cat")
	c := m.dial(t)
	require.NoError(t, c.StopListening(t.Context()))
	m.requireGone(t)
	require.NoError(t, c.StopListening(t.Context()))
	c.Close()
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, exit.Known)
	require.NoError(t, <-m.end)
}

func TestControlPersist(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t), "ControlPersist=1")
	ses, in := m.session(t, "cat")
	select {
	case err := <-m.end:
		require.Fail(t, "the master ended under a session", err)
	case <-time.After(1200 * time.Millisecond): // what must not happen has no other bound
	}
	in.Close()
	ses.Wait(t.Context())
	require.NoError(t, <-m.end)
	m.requireGone(t)
}

func TestShutdownWithoutServe(t *testing.T) {
	sshtest.NoLeaks(t)
	path := controlPath(t)
	m, err := master.New(master.Options{Host: resolve(t, sshtest.NewServer(t)), Control: path})
	require.NoError(t, err)
	require.NoError(t, m.Start(t.Context()))
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoFileExists(t, path)
	require.NoError(t, m.Serve(t.Context()))
	require.NoError(t, m.Shutdown(t.Context()))
}

func TestShutdownOfWhatNeverBegan(t *testing.T) {
	m, err := master.New(master.Options{Host: resolve(t, sshtest.NewServer(t)), Control: controlPath(t)})
	require.NoError(t, err)
	require.NoError(t, m.Shutdown(t.Context()))
	require.NoError(t, m.Serve(t.Context()))
}

func TestContextEndsServe(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	path := controlPath(t)
	m, err := master.New(master.Options{Host: resolve(t, srv), Control: path})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- m.Serve(ctx) }() // starts it, too
	require.Eventually(t, func() bool {
		c, err := muxproto.Dial(t.Context(), path)
		if err != nil {
			return false
		}
		c.Close()
		return true
	}, patience, tick)
	cancel()
	require.NoError(t, <-end)
}

func TestResize(t *testing.T) {
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	m.session(t, "cat") // has no terminal and hears nothing
	m.Resize()
}

func TestPathIsJudgedBeforeAnybodyLogsIn(t *testing.T) {
	srv := sshtest.NewServer(t)
	first := start(t, srv)
	m, err := master.New(master.Options{Host: resolve(t, srv), Control: first.path})
	require.NoError(t, err)
	require.ErrorContains(t, m.Start(t.Context()), "already exists")
	require.Equal(t, 1, srv.Counts().Connections)
}

func TestNoControlPath(t *testing.T) {
	_, err := master.New(master.Options{Host: resolve(t, sshtest.NewServer(t))})
	require.ErrorContains(t, err, "no ControlPath")
}

func TestForwardsOfTheConfiguration(t *testing.T) {
	host := resolve(t, sshtest.NewServer(t),
		"RemoteForward=8081 localhost:81", "DynamicForward=1080", "LocalForward=8080 localhost:80", "RemoteForward=9000")
	require.Equal(t, []muxproto.Forward{
		{Type: muxproto.ForwardLocal, ListenPort: 8080, ConnectHost: "localhost", ConnectPort: 80},
		{Type: muxproto.ForwardDynamic, ListenPort: 1080, ConnectHost: "socks"},
		{Type: muxproto.ForwardRemote, ListenPort: 8081, ConnectHost: "localhost", ConnectPort: 81},
		{Type: muxproto.ForwardRemote, ListenPort: 9000, ConnectHost: "socks"},
	}, master.Forwards(host))
}
