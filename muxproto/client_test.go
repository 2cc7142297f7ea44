package muxproto_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// scripted connects a Client to a master that greets and then does as it is
// told. The script's error fails the test.
func scripted(t testing.TB, script func(m *muxproto.Conn) error) *muxproto.Client {
	t.Helper()
	slave, done := serve(t, func(m *muxproto.Conn) error {
		return errors.Join(m.Write(&muxproto.Hello{Version: muxproto.Version,
			Extensions: []muxproto.Extension{{Name: "unheard@of"}, {Name: "info", Value: "0"}}}), script(m))
	})
	c, err := muxproto.NewClient(within(t), slave)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		require.NoError(t, <-done)
	})
	return c
}

// serve runs a master at one end of a socket, which is closed when it returns,
// and gives the other end.
func serve(t testing.TB, master func(*muxproto.Conn) error) (*net.UnixConn, <-chan error) {
	x, y := pair(t, syscall.SOCK_STREAM)
	done := make(chan error, 1)
	go func() {
		m := muxproto.NewConn(y)
		err := master(m)
		_ = m.Close()
		done <- err
	}()
	return x, done
}

// expect reads the slave's Hello, if there is one, and a request.
func expect(m *muxproto.Conn) (muxproto.Message, error) {
	got, err := m.ReadRequest()
	if _, ok := got.(*muxproto.Hello); ok {
		return m.ReadRequest()
	}
	return got, err
}

// replies reads a request for each reply and sends the reply.
func replies(messages ...muxproto.Message) func(*muxproto.Conn) error {
	return func(m *muxproto.Conn) error {
		for _, reply := range messages {
			if _, err := expect(m); err != nil {
				return err
			}
			if err := m.Write(reply); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestHelloExchange(t *testing.T) {
	c := scripted(t, func(m *muxproto.Conn) error {
		got, err := m.ReadRequest()
		if hello, ok := got.(*muxproto.Hello); !ok || hello.Version != muxproto.Version {
			return fmt.Errorf("greeted with %v, %w", got, err)
		}
		return err
	})
	require.Equal(t, uint32(muxproto.Version), c.Hello().Version)
	require.Len(t, c.Hello().Extensions, 2)
	value, ok := c.Extension("info")
	require.True(t, ok)
	require.Equal(t, "0", value)
	_, ok = c.Extension("nothing")
	require.False(t, ok)
}

func TestBadHello(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		want string
	}{
		"version 5":  {"\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x05", "the master speaks protocol version 5, not 4"},
		"a reply":    {"\x00\x00\x00\x08\x80\x00\x00\x01\x00\x00\x00\x04", "MUX_S_OK instead of MUX_MSG_HELLO"},
		"no version": {"\x00\x00\x00\x04\x00\x00\x00\x01", "malformed"},
		"nothing":    {"", "the master closed the connection"},
		"half":       {"\x00\x00\x00\x08\x00", "unexpected EOF"},
		"SSH":        {"SSH-2.0-OpenSSH_9.2\r\n", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t, func() {
				slave, done := serve(t, func(m *muxproto.Conn) error {
					_, err := m.UnixConn().Write([]byte(c.sent))
					_, readErr := m.ReadRequest()
					return errors.Join(err, readErr)
				})
				_, err := muxproto.NewClient(within(t), slave)
				require.ErrorContains(t, err, c.want)
				require.NoError(t, <-done)
			})
		})
	}
}

func TestHelloHonoursTheContext(t *testing.T) {
	noLeak(t, func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		slave, done := serve(t, func(m *muxproto.Conn) error {
			_, err := m.ReadRequest()
			cancel(errors.New("enough"))
			_, _ = m.ReadRequest()
			return err
		})
		_, err := muxproto.NewClient(ctx, slave)
		require.EqualError(t, err, "muxproto: hello: enough")
		require.NoError(t, <-done)
	})
}

func TestDialErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := muxproto.Dial(within(t), "")
	require.ErrorContains(t, err, "no path")
	_, err = muxproto.Dial(within(t), "/"+strings.Repeat("x", 200))
	require.ErrorContains(t, err, "201 bytes long")
	_, err = muxproto.Dial(within(t), "nobody")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = muxproto.Dial(within(t), "@nobody")
	require.ErrorIs(t, err, os.ErrNotExist, "a file of that name, nothing abstract")
}

func TestRequestsAndReplies(t *testing.T) {
	f := local("", 8080, "h", 80)
	for _, c := range []struct {
		name    string
		reply   muxproto.Message
		request muxproto.Message
		do      func(*muxproto.Client) (any, error)
		want    any
	}{
		{"alive", &muxproto.Alive{PID: 42}, &muxproto.AliveCheck{},
			func(c *muxproto.Client) (any, error) { return c.Alive(within(t)) }, uint32(42)},
		{"open", &muxproto.OK{}, &muxproto.OpenForward{Forward: f},
			func(c *muxproto.Client) (any, error) { return c.OpenForward(within(t), f) }, uint32(0)},
		{"open port 0", &muxproto.RemotePort{Port: 4711}, &muxproto.OpenForward{Forward: remote("", 0, "h", 80)},
			func(c *muxproto.Client) (any, error) { return c.OpenForward(within(t), remote("", 0, "h", 80)) }, uint32(4711)},
		{"close", &muxproto.OK{}, &muxproto.CloseForward{Forward: f},
			func(c *muxproto.Client) (any, error) { return nil, c.CloseForward(within(t), f) }, nil},
		{"stop", &muxproto.OK{}, &muxproto.StopListening{},
			func(c *muxproto.Client) (any, error) { return nil, c.StopListening(within(t)) }, nil},
		{"terminate", &muxproto.OK{}, &muxproto.Terminate{},
			func(c *muxproto.Client) (any, error) { return nil, c.Terminate(within(t)) }, nil},
		{"info", &muxproto.InfoReply{OK: true, Text: "a\r\n"}, &muxproto.InfoRequest{Name: muxproto.InfoChannels},
			func(c *muxproto.Client) (any, error) { return c.Info(within(t), muxproto.InfoChannels) }, "a\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests := make(chan muxproto.Message, 1)
			client := scripted(t, func(m *muxproto.Conn) error {
				got, err := expect(m)
				requests <- got
				return errors.Join(err, m.Write(c.reply))
			})
			got, err := c.do(client)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, c.request, <-requests)
		})
	}
}

func TestRefusals(t *testing.T) {
	c := scripted(t, replies(
		&muxproto.Failure{RequestID: 0, Reason: "Port forwarding\x1b[2J failed\r\n"},
		&muxproto.PermissionDenied{RequestID: 1, Reason: "Permission denied"},
		&muxproto.InfoReply{RequestID: 2, Text: "info request type not supported"},
		&muxproto.Alive{RequestID: 3, PID: 42},
	))
	_, err := c.OpenForward(within(t), local("", 1, "h", 2))
	require.Equal(t, &muxproto.ReplyError{Op: "open forward", Reason: "Port forwarding[2J failed"}, err)
	require.EqualError(t, err, "muxproto: open forward failed: Port forwarding[2J failed")
	err = c.Terminate(within(t))
	require.Equal(t, &muxproto.ReplyError{Op: "terminate", Denied: true, Reason: "Permission denied"}, err)
	require.EqualError(t, err, "muxproto: terminate refused by the master: Permission denied")
	_, err = c.Info(within(t), "weather")
	require.Equal(t, &muxproto.ReplyError{Op: "info", Reason: "info request type not supported"}, err)
	pid, err := c.Alive(within(t))
	require.NoError(t, err, "a refusal leaves the connection usable")
	require.Equal(t, uint32(42), pid)
}

func TestRepliesThatAnswerNothing(t *testing.T) {
	for name, reply := range map[string]muxproto.Message{
		"another id":      &muxproto.Alive{RequestID: 1, PID: 42},
		"failure of one":  &muxproto.Failure{RequestID: 7},
		"another type":    &muxproto.OK{},
		"a session":       &muxproto.SessionOpened{},
		"no id":           &muxproto.ExitMessage{},
		"a second hello":  &muxproto.Hello{Version: muxproto.Version},
		"one of requests": &muxproto.AliveCheck{},
	} {
		t.Run(name, func(t *testing.T) {
			c := scripted(t, replies(reply))
			_, err := c.Alive(within(t))
			var unknown *muxproto.UnknownTypeError
			require.True(t, errors.Is(err, muxproto.ErrMalformed) || errors.As(err, &unknown), "%v", err)
			_, err = c.Alive(within(t))
			require.Error(t, err, "the connection is of no use any more")
		})
	}
}

func TestTerminateByTheEnd(t *testing.T) {
	c := scripted(t, func(m *muxproto.Conn) error {
		_, err := expect(m)
		return err
	})
	require.NoError(t, c.Terminate(within(t)))
	c = scripted(t, func(m *muxproto.Conn) error {
		_, err := expect(m)
		return err
	})
	require.ErrorIs(t, c.StopListening(within(t)), io.ErrUnexpectedEOF)
}

func TestNoInfo(t *testing.T) {
	slave, done := serve(t, func(m *muxproto.Conn) error {
		_, err := m.ReadRequest()
		return errors.Join(err, m.Write(&muxproto.Hello{Version: muxproto.Version}))
	})
	c, err := muxproto.NewClient(within(t), slave)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Info(within(t), muxproto.InfoConnection)
	require.ErrorIs(t, err, muxproto.ErrNoInfo)
	require.NoError(t, <-done)
}

func TestCancelledRequest(t *testing.T) {
	noLeak(t, func() {
		ctx, cancel := context.WithCancel(context.Background())
		c := scripted(t, func(m *muxproto.Conn) error {
			_, err := expect(m)
			cancel()
			_, _ = m.ReadRequest()
			return err
		})
		_, err := c.Alive(ctx)
		require.ErrorIs(t, err, context.Canceled)
		_, err = c.Alive(within(t))
		require.ErrorContains(t, err, "an earlier request broke the connection")
		require.NoError(t, c.Close())
	})
}

// TestContextOverBeforehand sends nothing and breaks nothing.
func TestContextOverBeforehand(t *testing.T) {
	c := scripted(t, replies(&muxproto.Alive{PID: 42}))
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 {
		_, err := c.Alive(over)
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err := c.Alive(within(t))
	require.NoError(t, err)
}

func TestCloseDuringARequest(t *testing.T) {
	var c *muxproto.Client
	ready := make(chan struct{})
	c = scripted(t, func(m *muxproto.Conn) error {
		_, err := expect(m)
		<-ready
		_ = c.Close()
		return err
	})
	close(ready)
	_, err := c.Alive(within(t))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, c.Close())
	_, err = c.Alive(within(t))
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestManyAskAtOnce(t *testing.T) {
	const each, askers = 20, 8
	c := scripted(t, func(m *muxproto.Conn) error {
		for range each * askers {
			got, err := expect(m)
			if err != nil {
				return err
			}
			id := got.(*muxproto.AliveCheck).RequestID
			if err := m.Write(&muxproto.Alive{RequestID: id, PID: id + 1}); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	pids := map[uint32]bool{}
	var done sync.WaitGroup
	for range askers {
		done.Go(func() {
			for range each {
				pid, err := c.Alive(within(t))
				mu.Lock()
				pids[pid] = err == nil
				mu.Unlock()
			}
		})
	}
	done.Wait()
	require.Len(t, pids, each*askers)
	require.NotContains(t, pids, uint32(0))
}

func TestProxyPackets(t *testing.T) {
	c := scripted(t, func(m *muxproto.Conn) error {
		got, err := expect(m)
		if err != nil {
			return err
		}
		if err := m.Write(&muxproto.ProxyReply{RequestID: got.(*muxproto.Proxy).RequestID}); err != nil {
			return err
		}
		packet, err := m.ReadPacket(nil)
		if err != nil {
			return err
		}
		return m.WritePacket(packet, []byte(" to you"))
	})
	p, err := c.Proxy(within(t))
	require.NoError(t, err)
	require.NoError(t, p.WritePacket([]byte("\x50hello")))
	packet, err := p.ReadPacket(nil)
	require.NoError(t, err)
	require.Equal(t, "\x50hello to you", string(packet))
	_, err = p.ReadPacket(nil)
	require.ErrorIs(t, err, io.EOF)
	_, err = c.Alive(within(t))
	require.ErrorContains(t, err, "belongs to")
	require.NoError(t, p.Close())
}
