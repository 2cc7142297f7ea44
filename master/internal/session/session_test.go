package session_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/stdio"
)

// A caller holds the other ends of the descriptors that a slave passed.
type caller struct {
	in       io.WriteCloser
	out, err *os.File
	files    *stdio.Set
}

// newCaller passes three pipes, as ssh does under a script.
func newCaller(t *testing.T) *caller {
	t.Helper()
	inR, inW := pipe(t)
	outR, outW := pipe(t)
	errR, errW := pipe(t)
	files, err := stdio.OpenSet(passed(t, inR), passed(t, outW), passed(t, errW))
	require.NoError(t, err)
	t.Cleanup(func() { files.Close() })
	return &caller{in: inW, out: outR, err: errR, files: files}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// passed is a descriptor as it arrives over SCM_RIGHTS: blocking, and a further
// name of the caller's own open file, which the caller then closes.
func passed(t *testing.T, f *os.File) int {
	t.Helper()
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	fd := -1
	require.NoError(t, raw.Control(func(own uintptr) {
		fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
	}))
	require.NoError(t, err)
	require.NoError(t, unix.SetNonblock(fd, false))
	f.Close()
	return fd
}

// heard records what the slave was told.
type heard struct {
	mu    sync.Mutex
	words []string
}

func (h *heard) add(w string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.words = append(h.words, w)
}

func (h *heard) Exited(status uint32) { h.add(fmt.Sprint("exit ", status)) }
func (h *heard) TTYRefused()          { h.add("no tty") }

func request(command string) session.Request {
	return session.Request{Command: command, Escape: session.NoEscape, Log: slog.New(slog.DiscardHandler)}
}

// running is a session that a test started.
type running struct {
	*session.Session
	*caller
	heard heard
	over  chan struct{}
}

func start(t *testing.T, srv *sshtest.Server, req session.Request) *running {
	t.Helper()
	return startOn(t, srv.Link(t, nil), req)
}

// outcome waits for the end and returns everything that came of the session.
func (r *running) outcome(t *testing.T) (out, err string, told []string) {
	t.Helper()
	var errText []byte
	var reading sync.WaitGroup
	reading.Go(func() { errText, _ = io.ReadAll(r.caller.err) })
	outText, e := io.ReadAll(r.out)
	require.NoError(t, e)
	reading.Wait()
	<-r.over
	return string(outText), string(errText), r.heard.words
}

func TestCommandOutcome(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		fmt.Fprint(s, "to stdout")
		fmt.Fprint(s.Stderr(), "to stderr")
		s.Exit(7)
	}))
	r := start(t, srv, request("greet"))
	out, errText, told := r.outcome(t)
	require.Equal(t, "to stdout", out)
	require.Equal(t, "to stderr", errText)
	require.Equal(t, []string{"exit 7"}, told)
	srv.Log().Await(t, "close")
}

func TestRequestsGoOutInOrder(t *testing.T) {
	srv := sshtest.NewServer(t)
	req := request("exit 0")
	req.TTY, req.Term, req.Agent = true, "xterm", true
	req.X11 = &session.X11{Protocol: "MIT-MAGIC-COOKIE-1", Cookie: "00ff", Screen: 1}
	req.Env = []session.Variable{{"A", "1"}, {"B", ""}, {"A", "2"}}
	r := start(t, srv, req)
	r.outcome(t)
	srv.Log().Await(t, "close")
	require.Equal(t, []string{
		"open session", "x11-req", "auth-agent-req@openssh.com", "pty-req xterm 0x0",
		"env A=1", "env B=", "env A=2", "exec exit 0",
	}, srv.Log().Channel(1)[:8])
}

func TestEmptyCommandIsAShell(t *testing.T) {
	srv := sshtest.NewServer(t)
	req := request("")
	req.Subsystem = true
	r := start(t, srv, req)
	srv.Log().Await(t, "shell")
	r.in.Close()
	r.outcome(t)
}

func TestHalfClose(t *testing.T) {
	srv := sshtest.NewServer(t)
	r := start(t, srv, request("count"))
	_, err := io.WriteString(r.in, "twelve bytes")
	require.NoError(t, err)
	require.NoError(t, r.in.Close())
	out, _, told := r.outcome(t)
	require.Equal(t, "12", strings.TrimSpace(out))
	require.Equal(t, []string{"exit 0"}, told)
}

func TestStatusAfterEndOfOutput(t *testing.T) {
	release := make(chan struct{})
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		s.CloseWrite()
		<-release
		s.ExitStatus(3)
	}))
	r := start(t, srv, request("late"))
	r.in.Close()
	_, err := io.ReadAll(r.out)
	require.NoError(t, err)
	close(release)
	<-r.over
	require.Equal(t, []string{"exit 3"}, r.heard.words)
}

func TestTwoStatusesOneMessage(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		s.ExitStatus(1)
		s.ExitStatus(2)
	}))
	_, _, told := start(t, srv, request("twice")).outcome(t)
	require.Equal(t, []string{"exit 1"}, told)
}

func TestNoStatus(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		s.ExitSignal("KILL", "killed")
	}))
	_, _, told := start(t, srv, request("killed")).outcome(t)
	require.Empty(t, told)
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		refuse, says string
		told         []string
		change       func(*session.Request)
	}{
		{refuse: "exec", says: "exec request failed\r\n"},
		{refuse: "shell", says: "shell request failed\r\n", change: func(r *session.Request) { r.Command = "" }},
		{refuse: "subsystem", says: "subsystem request failed\r\n", change: func(r *session.Request) { r.Subsystem = true }},
		{refuse: "pty-req", says: "PTY allocation request failed\r\n", told: []string{"no tty", "exit 0"}, change: func(r *session.Request) { r.TTY = true }},
		{refuse: "x11-req", says: "X11 forwarding request failed\r\n", told: []string{"exit 0"}, change: func(r *session.Request) { r.X11 = &session.X11{} }},
	} {
		t.Run(tc.refuse, func(t *testing.T) {
			srv := sshtest.NewServer(t)
			srv.Refuse(tc.refuse)
			req := request("exit 0")
			if tc.change != nil {
				tc.change(&req)
			}
			_, says, told := start(t, srv, req).outcome(t)
			require.Equal(t, tc.says, says)
			require.Equal(t, tc.told, told)
			srv.Log().Await(t, "close")
		})
	}
}

func TestOpenRefusedClosesFiles(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Refuse("session")
	c := newCaller(t)
	_, err := session.Open(t.Context(), srv.Link(t, nil), request("x"), c.files)
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	_, err = io.ReadAll(c.out) // ends only when the last holder has closed it
	require.NoError(t, err)
}

func TestOpenGivenUp(t *testing.T) {
	srv := sshtest.NewServer(t)
	release := srv.Hold("session")
	ctx, cancel := context.WithCancel(t.Context())
	c := newCaller(t)
	opened := make(chan error, 1)
	link := srv.Link(t, nil)
	go func() {
		_, err := session.Open(ctx, link, request("x"), c.files)
		opened <- err
	}()
	srv.Log().Await(t, "open session")
	cancel()
	require.ErrorIs(t, <-opened, context.Canceled)
	release()
	srv.Log().Await(t, "close")
}

func TestReaderOfOutputLeaves(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		var source sync.WaitGroup
		source.Go(func() { sshtest.Source(s, "4000000") }) // more than the window: somebody must read it
		in, _ := io.ReadAll(s)
		source.Wait()
		s.Exit(uint32(len(in)))
	}))
	link := newBerthing(t, srv)
	link.eow = true
	r := startOn(t, link, request("source"))
	_, err := io.ReadFull(r.out, make([]byte, 10))
	require.NoError(t, err)
	r.out.Close()
	srv.Log().Await(t, "eow@openssh.com")
	io.WriteString(r.in, "abc")
	r.in.Close()
	<-r.over
	require.Equal(t, []string{"exit 3"}, r.heard.words)
}

func TestHostWantsNoInput(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		s.SendRequest("eow@openssh.com", false, nil)
		<-s.Done()
	}))
	r := start(t, srv, request("deaf"))
	// Its end of the pipe is closed: a writer learns it.
	require.Eventually(t, func() bool {
		_, err := io.WriteString(r.in, "x")
		return err != nil
	}, patience, tick)
	r.Close()
	srv.Log().Await(t, "close")
}

func TestUnknownRequestIsRefused(t *testing.T) {
	answers := make(chan bool, 1)
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		ok, _ := s.SendRequest("keepalive@openssh.com", true, nil)
		answers <- ok
		s.Exit(0)
	}))
	start(t, srv, request("x")).outcome(t)
	require.False(t, <-answers)
}

func TestSlaveLeaves(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	r := start(t, srv, request("cat"))
	io.WriteString(r.in, "hello")
	_, err := io.ReadFull(r.out, make([]byte, 5))
	require.NoError(t, err)
	r.Close()
	<-r.over
	srv.Log().Await(t, "close")
	require.Empty(t, r.heard.words)
	_, err = io.WriteString(r.in, "x")
	require.Error(t, err, "the descriptor is still open")
}

func TestSlaveLeavesWhileHostIsStuck(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Hold("exec")
	r := start(t, srv, request("cat"))
	srv.Log().Await(t, "exec cat")
	r.Close()
	<-r.over
}

func TestLinkLost(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	r := start(t, srv, request("cat"))
	srv.Log().Await(t, "exec cat")
	for _, c := range srv.Conns() {
		c.Close()
	}
	_, _, told := r.outcome(t)
	require.Empty(t, told)
}

func TestLargeTransfer(t *testing.T) {
	srv := sshtest.NewServer(t)
	r := start(t, srv, request("cat"))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB, twice the window
	go func() {
		r.in.Write(sent)
		r.in.Close()
	}()
	got, err := io.ReadAll(r.out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, got))
	<-r.over
	require.Equal(t, []string{"exit 0"}, r.heard.words)
}
