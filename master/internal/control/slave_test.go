package control_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

func TestHelloIsSentUnasked(t *testing.T) {
	m := newMaster(t, "")
	hello, err := m.raw(t).ReadReply()
	require.NoError(t, err)
	require.Equal(t, &muxproto.Hello{Version: 4, Extensions: []muxproto.Extension{{Name: "info", Value: "0"}}}, hello)
}

func TestRequestsOfTheMasterItself(t *testing.T) {
	m := newMaster(t, "")
	c := m.dial(t)
	pid, err := c.Alive(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, os.Getpid(), pid)
	text, err := c.Info(t.Context(), "connection")
	require.NoError(t, err)
	require.Equal(t, "about connection", text)
	require.NoError(t, c.StopListening(t.Context()))
	require.NoError(t, c.StopListening(t.Context()))
	require.NoError(t, c.Terminate(t.Context()))
	require.Eventually(t, func() bool { return len(m.calls()) == 3 }, patience, tick)
	require.Equal(t, []string{"stop", "stop", "terminate"}, m.calls())
}

func TestForwards(t *testing.T) {
	m := newMaster(t, "")
	c := m.dial(t)
	f := muxproto.Forward{Type: muxproto.ForwardRemote, ConnectHost: "h", ConnectPort: 80}
	port, err := c.OpenForward(t.Context(), f)
	require.NoError(t, err)
	require.EqualValues(t, 4711, port)
	require.NoError(t, c.CloseForward(t.Context(), f))
	f.ListenPort = 65536
	_, err = c.OpenForward(t.Context(), f)
	require.Error(t, err)
	_, err = c.Alive(t.Context())
	require.Error(t, err, "the connection should have been dropped")
}

func TestUnknownRequestIsSurvived(t *testing.T) {
	m := newMaster(t, "")
	c := m.greeted(t)
	_, err := c.UnixConn().Write([]byte{0, 0, 0, 8, 0x10, 0, 0, 0x99, 0, 0, 0, 5})
	require.NoError(t, err)
	got, err := c.ReadReply()
	require.NoError(t, err)
	require.Equal(t, &muxproto.Failure{RequestID: 5, Reason: "unsupported request"}, got)
	require.NoError(t, c.Write(&muxproto.AliveCheck{RequestID: 6}))
	_, err = c.ReadReply()
	require.NoError(t, err)
}

func TestRequestsSentAhead(t *testing.T) {
	m := newMaster(t, "")
	c := m.greeted(t)
	require.NoError(t, c.Write(&muxproto.AliveCheck{RequestID: 1}, &muxproto.AliveCheck{RequestID: 2}, &muxproto.AliveCheck{RequestID: 3}))
	for id := range uint32(3) {
		got, err := c.ReadReply()
		require.NoError(t, err)
		require.Equal(t, id+1, got.(*muxproto.Alive).RequestID)
	}
}

// Whatever breaks the protocol ends that connection, without an answer and
// without harm to anybody else.
func TestMalformedInputDropsThatSlave(t *testing.T) {
	hello := "\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x04"
	for name, sent := range map[string]string{
		"request before hello":         "\x00\x00\x00\x08\x10\x00\x00\x04\x00\x00\x00\x00",
		"wrong version":                "\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x05",
		"second hello":                 hello + hello,
		"hello without version":        "\x00\x00\x00\x04\x00\x00\x00\x01",
		"extension without value":      "\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x00",
		"too long":                     hello + "\x00\x04\x00\x01",
		"length 0":                     hello + "\x00\x00\x00\x00",
		"length 3":                     hello + "\x00\x00\x00\x03\x10\x00\x00",
		"no request id":                hello + "\x00\x00\x00\x04\x10\x00\x00\x04",
		"session without fields":       hello + "\x00\x00\x00\x08\x10\x00\x00\x02\x00\x00\x00\x00",
		"reply instead of a request":   "\x00\x00\x00\x08\x80\x00\x00\x01\x00\x00\x00\x00",
		"forward with an odd port":     hello + "\x00\x00\x00\x1c\x10\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x50",
		"command with a NUL in it":     hello + "\x00\x00\x00\x2b\x10\x00\x00\x02" + strings.Repeat("\x00", 28) + "\x00\x00\x00\x00" + "\x00\x00\x00\x03a\x00b",
		"garbage that looks like none": "GET / HTTP/1.1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaster(t, "")
			c := m.raw(t)
			io.WriteString(c.UnixConn(), sent)
			_, err := c.ReadReply() // the master's hello
			require.NoError(t, err)
			_, err = c.ReadReply()
			require.Error(t, err)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			_, err = m.dial(t).Alive(t.Context())
			require.NoError(t, err)
		})
	}
}

func TestIdleAndHalfSentConnectionsHinderNobody(t *testing.T) {
	m := newMaster(t, "")
	for i := range 60 {
		c := m.raw(t)
		io.WriteString(c.UnixConn(), "\x00\x03\xff\xff\x10\x00"[:i%7])
	}
	for range 20 {
		_, err := m.dial(t).Alive(t.Context())
		require.NoError(t, err)
	}
}

// A run is a session that a test slave has open.
type run struct {
	*muxproto.Session
	in, out, err *os.File
}

func openSession(t *testing.T, c *muxproto.Client, req muxproto.NewSession) (*run, error) {
	t.Helper()
	inR, inW, err := os.Pipe()
	require.NoError(t, err)
	outR, outW, err := os.Pipe()
	require.NoError(t, err)
	errR, errW, err := os.Pipe()
	require.NoError(t, err)
	defer inR.Close()
	defer outW.Close()
	defer errW.Close()
	t.Cleanup(func() { inW.Close(); outR.Close(); errR.Close() })
	req.EscapeChar = muxproto.NoEscape
	s, err := c.NewSession(t.Context(), req, int(inR.Fd()), int(outW.Fd()), int(errW.Fd()))
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return &run{s, inW, outR, errR}, err
}

func TestSession(t *testing.T) {
	m := newMaster(t, "")
	r, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "cat"})
	require.NoError(t, err)
	io.WriteString(r.in, "through")
	r.in.Close()
	out, err := io.ReadAll(r.out)
	require.NoError(t, err)
	require.Equal(t, "through", string(out))
	exit, err := r.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, exit.Known)
	require.Zero(t, exit.Status)
	require.Eventually(t, func() bool { return m.busy.Load() == 0 }, patience, tick)
}

func TestEnvironmentIsFiltered(t *testing.T) {
	m := newMaster(t, "")
	env := []string{"=x", "novalue", "LC_A=1", "OTHER=2", "XY=", "XYZ=3", "LC_A=again", "LC_" + strings.Repeat("n", 1021) + "=long"}
	r, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "exit 0", Env: env})
	require.NoError(t, err)
	r.Wait(t.Context())
	m.host.Log().Await(t, "close")
	require.Equal(t, []string{"env LC_A=1", "env XY=", "env LC_A=again", "env SET=1"}, m.host.Log().Channel(1)[1:5])
}

func TestEnvironmentIsBounded(t *testing.T) {
	m := newMaster(t, "")
	var env []string
	for i := range 4200 {
		env = append(env, fmt.Sprintf("LC_%d=1", i))
	}
	r, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "exit 0", Env: env})
	require.NoError(t, err)
	r.Wait(t.Context())
	m.host.Log().Await(t, "close")
	sent := 0
	for _, e := range m.host.Log().Events() {
		if e.Name == "env" {
			sent++
		}
	}
	require.Equal(t, 4097+1, sent) // and the one of SetEnv
}

func TestSecondSessionOnOneConnection(t *testing.T) {
	m := newMaster(t, "")
	c := m.greeted(t)
	files := func() []int {
		fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return []int{fd, fd, fd}
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	null := files()
	require.NoError(t, c.WriteFDs(&muxproto.NewSession{RequestID: 1, Command: "cat", EscapeChar: muxproto.NoEscape}, int(r.Fd()), null[1], null[2]))
	r.Close()
	got, err := c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.SessionOpened{}, got)
	require.NoError(t, c.WriteFDs(&muxproto.NewSession{RequestID: 2, Command: "cat"}, files()...))
	got, err = c.ReadReply()
	require.NoError(t, err)
	require.Equal(t, &muxproto.Failure{RequestID: 2, Reason: "Multiple sessions not supported"}, got)
	require.NoError(t, c.Write(&muxproto.AliveCheck{RequestID: 3}))
	got, err = c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.Alive{}, got)
	w.Close()
	got, err = c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.ExitMessage{}, got)
}

func TestRefusedSession(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	m.host.Refuse("session")
	r, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "cat"})
	var refused *muxproto.ReplyError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "Session open refused by peer", refused.Reason)
	_, err = io.ReadAll(r.out) // nobody else holds the pipe
	require.NoError(t, err)
}

func TestDescriptorsWithheld(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "", func(c *control.Config) { c.SlaveTimeout = 50 * time.Millisecond })
	c := m.greeted(t)
	require.NoError(t, c.Write(&muxproto.NewSession{RequestID: 1, Command: "cat"}))
	_, err := m.dial(t).Alive(t.Context()) // nobody else waits
	require.NoError(t, err)
	got, err := c.ReadReply()
	require.NoError(t, err)
	require.Equal(t, &muxproto.Failure{RequestID: 1, Reason: "did not receive file descriptors"}, got)
	_, err = c.ReadReply()
	require.ErrorIs(t, err, io.EOF)
	require.Empty(t, m.host.Log().Channel(1))
}

func TestPlainBytesInPlaceOfDescriptors(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	c := m.greeted(t)
	require.NoError(t, c.Write(&muxproto.NewSession{RequestID: 1, Command: "cat"}))
	c.UnixConn().Write([]byte{0, 0, 0})
	for {
		if _, err := c.ReadReply(); err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
	require.Empty(t, m.host.Log().Channel(1))
}

func TestSlaveLeavesWhileItsRequestWaits(t *testing.T) {
	m := newMaster(t, "")
	m.host.Hold("session")
	c := m.greeted(t)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(null)
	require.NoError(t, c.WriteFDs(&muxproto.NewSession{RequestID: 1, Command: "cat"}, null, null, null))
	m.host.Log().Await(t, "open session")
	c.Close()
	require.Eventually(t, func() bool { return m.busy.Load() == 0 }, patience, tick)
}

// What is sent ahead of an answer is carried out after it, and hides the end of
// the connection from nobody.
func TestRequestsSentAheadOfASession(t *testing.T) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(null)
	ahead := func(t *testing.T, m *fakeMaster) *muxproto.Conn {
		c := m.greeted(t)
		require.NoError(t, c.WriteFDs(&muxproto.NewSession{RequestID: 1, Command: "sleep", EscapeChar: muxproto.NoEscape}, null, null, null))
		require.NoError(t, c.Write(&muxproto.AliveCheck{RequestID: 2}))
		m.host.Log().Await(t, "open session")
		return c
	}
	t.Run("answered in order", func(t *testing.T) {
		m := newMaster(t, "")
		release := m.host.Hold("session")
		c := ahead(t, m)
		release()
		got, err := c.ReadReply()
		require.NoError(t, err)
		require.IsType(t, &muxproto.SessionOpened{}, got)
		got, err = c.ReadReply()
		require.NoError(t, err)
		require.IsType(t, &muxproto.Alive{}, got)
	})
	t.Run("given up", func(t *testing.T) {
		m := newMaster(t, "")
		m.host.Hold("session")
		c := ahead(t, m)
		require.NoError(t, c.UnixConn().CloseWrite())
		require.Eventually(t, func() bool { return m.busy.Load() == 0 }, patience, tick)
	})
}

func TestSlaveLeavesItsSession(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	r, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "cat"})
	require.NoError(t, err)
	m.host.Log().Await(t, "exec cat")
	r.Close()
	m.host.Log().Await(t, "close")
	_, err = io.ReadAll(r.out)
	require.NoError(t, err)
}

func TestStdioForward(t *testing.T) {
	m := newMaster(t, "")
	m.host.Refuse("direct-tcpip")
	inR, inW, err := os.Pipe()
	require.NoError(t, err)
	defer inR.Close()
	defer inW.Close()
	_, err = m.dial(t).StdioForward(t.Context(), "h", 22, int(inR.Fd()), int(inW.Fd()))
	var refused *muxproto.ReplyError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "Session open refused by peer", refused.Reason)
}

func TestAsk(t *testing.T) {
	var asked []string
	answer := false
	m := newMaster(t, "", func(c *control.Config) {
		c.Confirm = func(_ context.Context, q string) bool {
			asked = append(asked, q)
			return answer
		}
	})
	_, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "exit 0"})
	var denied *muxproto.ReplyError
	require.ErrorAs(t, err, &denied)
	require.True(t, denied.Denied)
	require.Equal(t, "Permission denied", denied.Reason)
	require.ErrorAs(t, m.dial(t).Terminate(t.Context()), &denied)
	_, err = m.dial(t).OpenForward(t.Context(), muxproto.Forward{Type: muxproto.ForwardLocal, ListenPort: 8080, ConnectHost: "h", ConnectPort: 80})
	require.ErrorAs(t, err, &denied)
	_, err = m.dial(t).Alive(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{
		"Allow shared connection to host? ", "Terminate shared connection to host? ",
		"Open local forward LOCALHOST:8080 -> h:80 on host?",
	}, asked)
	require.Empty(t, m.calls())
}

func TestSlaveLeavesWhileTheUserIsAsked(t *testing.T) {
	sshtest.NoLeaks(t)
	asked := make(chan string, 1)
	m := newMaster(t, "", func(c *control.Config) {
		c.Confirm = func(ctx context.Context, q string) bool {
			asked <- q
			<-ctx.Done()
			return false
		}
	})
	c := m.greeted(t)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(null)
	require.NoError(t, c.WriteFDs(&muxproto.NewSession{RequestID: 1, Command: "cat"}, null, null, null))
	<-asked
	c.Close()
	require.Eventually(t, func() bool { return m.busy.Load() == 0 }, patience, tick)
}

func TestCloseCutsEverybodyOff(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	r, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "cat"})
	require.NoError(t, err)
	idle := m.greeted(t)
	require.NoError(t, idle.Write(&muxproto.AliveCheck{}))
	_, err = idle.ReadReply()
	require.NoError(t, err)
	m.server.Close()
	exit, err := r.Wait(t.Context())
	require.NoError(t, err)
	require.False(t, exit.Known)
	_, err = idle.ReadReply()
	require.ErrorIs(t, err, io.EOF)
	_, err = io.ReadAll(r.out)
	require.NoError(t, err)
}
