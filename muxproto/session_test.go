package muxproto_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// opens answers a session with these messages after SESSION_OPENED, whose
// session id is 9, and closes the connection. What the session was given must
// be n files of which the first says "stdin".
func opens(n int, after ...muxproto.Message) func(*muxproto.Conn) error {
	return func(m *muxproto.Conn) error {
		if _, err := expect(m); err != nil {
			return err
		}
		for i := range n {
			fd, err := m.ReceiveFD()
			if err != nil {
				return err
			}
			f := os.NewFile(uintptr(fd), "received")
			content, err := io.ReadAll(f)
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			if i == 0 && string(content) != "stdin" {
				return fmt.Errorf("received %q", content)
			}
		}
		return m.Write(append([]muxproto.Message{&muxproto.SessionOpened{SessionID: 9}}, after...)...)
	}
}

// newSession opens a session with a file for stdin.
func newSession(t testing.TB, c *muxproto.Client) (*muxproto.Session, error) {
	in := tempFile(t, "stdin")
	out := tempFile(t, "")
	s, err := c.NewSession(within(t), *session(99, "uptime"), int(in.Fd()), int(out.Fd()), int(out.Fd()))
	require.NoError(t, errors.Join(in.Close(), out.Close()), "descriptors are lent")
	return s, err
}

func TestSessionEnds(t *testing.T) {
	tty, exit := &muxproto.TTYAllocFail{SessionID: 9}, &muxproto.ExitMessage{SessionID: 9, Status: 7}
	for name, c := range map[string]struct {
		after []muxproto.Message
		want  muxproto.Exit
		bad   bool
	}{
		"status":               {[]muxproto.Message{exit}, muxproto.Exit{Status: 7, Known: true}, false},
		"status 0":             {[]muxproto.Message{&muxproto.ExitMessage{SessionID: 9}}, muxproto.Exit{Known: true}, false},
		"no status":            {nil, muxproto.Exit{}, false},
		"no terminal":          {[]muxproto.Message{tty, exit}, muxproto.Exit{Status: 7, Known: true, TTYFailed: true}, false},
		"two statuses":         {[]muxproto.Message{exit, exit}, muxproto.Exit{Status: 7, Known: true}, true},
		"another session's":    {[]muxproto.Message{&muxproto.ExitMessage{SessionID: 8}}, muxproto.Exit{}, true},
		"another's terminal":   {[]muxproto.Message{&muxproto.TTYAllocFail{SessionID: 8}}, muxproto.Exit{}, true},
		"a reply to no one":    {[]muxproto.Message{exit, &muxproto.OK{}}, muxproto.Exit{Status: 7, Known: true}, true},
		"opened another time":  {[]muxproto.Message{&muxproto.SessionOpened{SessionID: 9}}, muxproto.Exit{}, true},
		"a failure afterwards": {[]muxproto.Message{&muxproto.Failure{Reason: "x"}}, muxproto.Exit{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newSession(t, scripted(t, opens(3, c.after...)))
			require.NoError(t, err)
			defer s.Close()
			require.Equal(t, uint32(9), s.ID)
			for range 2 {
				exit, err := s.Wait(within(t))
				require.Equal(t, c.want, exit)
				if c.bad {
					require.ErrorIs(t, err, muxproto.ErrMalformed)
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
}

func TestSessionTakesTheConnection(t *testing.T) {
	c := scripted(t, opens(3))
	s, err := newSession(t, c)
	require.NoError(t, err)
	_, err = c.Alive(within(t))
	require.ErrorContains(t, err, "belongs to a session")
	_, err = s.Wait(within(t))
	require.NoError(t, err, "which that attempt did not harm")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
}

func TestRefusedSession(t *testing.T) {
	c := scripted(t, func(m *muxproto.Conn) error {
		for id := range uint32(2) {
			if _, err := expect(m); err != nil {
				return err
			}
			for range 3 {
				fd, err := m.ReceiveFD()
				if err != nil {
					return err
				}
				_ = os.NewFile(uintptr(fd), "").Close()
			}
			if err := m.Write(&muxproto.Failure{RequestID: id, Reason: "Session open refused by peer"}); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		_, err := newSession(t, c)
		require.Equal(t, &muxproto.ReplyError{Op: "new session", Reason: "Session open refused by peer"}, err)
	}
}

func TestStdioForward(t *testing.T) {
	in := tempFile(t, "stdin")
	c := scripted(t, opens(2))
	s, err := c.StdioForward(within(t), "h", 22, int(in.Fd()), int(tempFile(t, "").Fd()))
	require.NoError(t, err)
	exit, err := s.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, muxproto.Exit{}, exit)
	require.NoError(t, s.Close())

	in = tempFile(t, "stdin")
	c = scripted(t, opens(2, &muxproto.ExitMessage{SessionID: 9}))
	s, err = c.StdioForward(within(t), "h", 22, int(in.Fd()), int(tempFile(t, "").Fd()))
	require.NoError(t, err)
	_, err = s.Wait(within(t))
	require.ErrorIs(t, err, muxproto.ErrMalformed, "nothing but the end is told of a stdio forward")
	require.NoError(t, s.Close())
}

// TestWaitAgain: a Wait that was cancelled, even in the midst of a frame, can be
// repeated.
func TestWaitAgain(t *testing.T) {
	noLeak(t, func() {
		ctx, cancel := context.WithCancel(context.Background())
		resume := make(chan struct{})
		c := scripted(t, func(m *muxproto.Conn) error {
			if err := opens(3, &muxproto.TTYAllocFail{SessionID: 9})(m); err != nil {
				return err
			}
			frame := muxproto.Append(nil, &muxproto.ExitMessage{SessionID: 9, Status: 7})
			_, err := m.UnixConn().Write(frame[:6])
			cancel()
			<-resume
			_, err2 := m.UnixConn().Write(frame[6:])
			return errors.Join(err, err2)
		})
		s, err := newSession(t, c)
		require.NoError(t, err)
		_, err = s.Wait(ctx)
		require.ErrorIs(t, err, context.Canceled)
		close(resume)
		exit, err := s.Wait(within(t))
		require.NoError(t, err)
		require.Equal(t, muxproto.Exit{Status: 7, Known: true, TTYFailed: true}, exit)
		require.NoError(t, s.Close())
	})
}

func TestCloseEndsWait(t *testing.T) {
	opened := make(chan struct{})
	c := scripted(t, func(m *muxproto.Conn) error {
		err := opens(3)(m)
		<-opened
		_, readErr := m.ReadRequest()
		if !errors.Is(readErr, io.EOF) {
			err = errors.Join(err, fmt.Errorf("not closed: %w", readErr))
		}
		return err
	})
	s, err := newSession(t, c)
	require.NoError(t, err)
	close(opened)
	waited := make(chan error, 1)
	go func() {
		_, err := s.Wait(within(t))
		waited <- err
	}()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-waited, net.ErrClosed)
}
