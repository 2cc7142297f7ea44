package session_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
)

// A berthing link gives its channels what a test wants to be known of it.
type berthing struct {
	*sshtest.Link
	eow, untrusted bool
	granted        atomic.Bool
	lost           error
	closed         chan struct{}
}

func newBerthing(t *testing.T, srv *sshtest.Server) *berthing {
	return &berthing{Link: srv.Link(t, nil), closed: make(chan struct{}, 10)}
}

func (b *berthing) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	ch, reqs, err := b.Link.OpenChannel(ctx, name, extra)
	if err != nil {
		return nil, nil, err
	}
	return berth{ch, b}, reqs, nil
}

type berth struct {
	ssh.Channel
	link *berthing
}

func (b berth) Closed()                { b.link.closed <- struct{}{} }
func (b berth) EOW() bool              { return b.link.eow }
func (b berth) Trusted() bool          { return !b.link.untrusted }
func (b berth) X11() bool              { return true }
func (b berth) TerminalsGranted() bool { return b.link.granted.Load() }
func (b berth) GrantTerminals()        { b.link.granted.Store(true) }
func (b berth) Lost() error            { return b.link.lost }

func startOn(t *testing.T, link session.Opener, req session.Request) *running {
	t.Helper()
	c := newCaller(t)
	s, err := session.Open(t.Context(), link, req, c.files)
	require.NoError(t, err)
	r := &running{Session: s, caller: c, over: make(chan struct{})}
	s.Start(&r.heard, func() { close(r.over) })
	t.Cleanup(func() {
		s.Close()
		<-r.over
	})
	return r
}

func TestSeatIsGivenBack(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := newBerthing(t, srv)
	r := startOn(t, link, request("exit 3"))
	r.in.Close()
	_, _, told := r.outcome(t)
	require.Equal(t, []string{"exit 3"}, told)
	<-link.closed
	require.Empty(t, link.closed)
	left := startOn(t, link, request("cat"))
	left.Close()
	<-link.closed
}

// A slave may leave before it hears that its session is open.
func TestSeatOfWhatNeverStartedIsGivenBack(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := newBerthing(t, srv)
	c := newCaller(t)
	s, err := session.Open(t.Context(), link, request("cat"), c.files)
	require.NoError(t, err)
	s.Close()
	<-link.closed
	_, err = io.ReadAll(c.out)
	require.NoError(t, err, "the descriptors are closed")
}

func TestLostLinkIsNamed(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := newBerthing(t, srv)
	link.lost = errors.New("Timeout, server h not responding.")
	r := startOn(t, link, request("cat"))
	srv.Conns()[0].Close()
	_, text, told := r.outcome(t)
	require.Equal(t, "Timeout, server h not responding.\r\n", text)
	require.Empty(t, told)
}

func TestSecondTerminalIsNotWaitedFor(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := newBerthing(t, srv)
	req := request("exit 0")
	req.TTY = true
	first := startOn(t, link, req)
	first.in.Close()
	first.outcome(t)
	require.True(t, link.granted.Load())
	srv.Refuse("pty-req") // which whoever waits for the answer hears of
	second := startOn(t, link, req)
	second.in.Close()
	_, _, told := second.outcome(t)
	require.Equal(t, []string{"exit 0"}, told)
}

func TestNothingIsForwardedToAStranger(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := newBerthing(t, srv)
	link.untrusted = true
	req := request("exit 0")
	req.Agent, req.X11 = true, &session.X11{Protocol: "MIT-MAGIC-COOKIE-1", Cookie: "00"}
	r := startOn(t, link, req)
	r.in.Close()
	r.outcome(t)
	require.NotContains(t, srv.Log().String(), "auth-agent")
	require.NotContains(t, srv.Log().String(), "x11-req")
}

func TestKillRemote(t *testing.T) {
	for _, kill := range []bool{true, false} {
		srv := sshtest.NewServer(t)
		req := request("sleep") // which does not end with its input, as cat may before the signal
		req.KillRemote = kill
		r := startOn(t, newBerthing(t, srv), req)
		srv.Log().Await(t, "exec sleep")
		r.Close()
		<-r.over
		srv.Log().Await(t, "close")
		if kill {
			require.Contains(t, srv.Log().String(), "signal TERM")
		} else {
			require.NotContains(t, srv.Log().String(), "signal")
		}
	}
}
