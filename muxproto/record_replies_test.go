package muxproto_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// A talk is a connection to a stock master that records its replies.
type talk struct {
	*muxproto.Conn
	t      testing.TB
	record recording
}

// dialTalk connects and exchanges Hello by hand.
func dialTalk(t testing.TB, name, socket string) *talk {
	t.Helper()
	sock, err := new(net.Dialer).DialContext(context.Background(), "unix", socket)
	require.NoError(t, err)
	require.NoError(t, sock.SetDeadline(time.Now().Add(patience)))
	k := &talk{Conn: muxproto.NewConn(sock.(*net.UnixConn)), t: t, record: recording{name: name}}
	t.Cleanup(func() { _ = k.Close() })
	require.Equal(t, uint32(muxproto.Version), k.ask(&muxproto.Hello{Version: muxproto.Version}).(*muxproto.Hello).Version)
	return k
}

// ask sends a request and records the reply.
func (k *talk) ask(m muxproto.Message, fds ...int) muxproto.Message {
	k.t.Helper()
	require.NoError(k.t, k.WriteFDs(m, fds...))
	return k.next()
}

// next records one message.
func (k *talk) next() muxproto.Message {
	k.t.Helper()
	frame, err := readFrame(k.UnixConn())
	require.NoError(k.t, err)
	m, err := muxproto.DecodeReply(frame[4:])
	require.NoError(k.t, err)
	require.Equal(k.t, frame, muxproto.Append(nil, m))
	k.record.add("", frame, muxproto.Describe(m))
	return m
}

// end requires the end of the connection.
func (k *talk) end() {
	k.t.Helper()
	_, err := readFrame(k.UnixConn())
	require.ErrorIs(k.t, err, io.EOF)
}

// save writes the recording if that is asked for.
func (k *talk) save(request string) {
	k.t.Helper()
	require.NoError(k.t, k.Close())
	if *update {
		k.record.origin = sshVersion(k.t) + " as master: " + request
		k.record.save(k.t, "replies")
	}
}

// TestRecordReplies asks a stock master for everything it has an answer to.
// With -update its answers become the golden frames.
func TestRecordReplies(t *testing.T) {
	t.Parallel()
	s := newSite(t, "PermitTTY no")
	socket := s.master(t, "ctl", "-M")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	fd := int(null.Fd())

	t.Run("alive", func(t *testing.T) {
		k := dialTalk(t, "alive", socket)
		require.Greater(t, k.ask(&muxproto.AliveCheck{RequestID: 9}).(*muxproto.Alive).PID, uint32(1))
		k.save("ALIVE_CHECK")
	})
	t.Run("session", func(t *testing.T) {
		k := dialTalk(t, "session", socket)
		opened := k.ask(&muxproto.NewSession{RequestID: 3, EscapeChar: muxproto.NoEscape, Command: "exit 7"}, fd, fd, fd).(*muxproto.SessionOpened)
		require.Equal(t, &muxproto.ExitMessage{SessionID: opened.SessionID, Status: 7}, k.next())
		k.end()
		k.save("NEW_SESSION, exit 7")
	})
	t.Run("tty-refused", func(t *testing.T) {
		k := dialTalk(t, "tty-refused", socket)
		opened := k.ask(&muxproto.NewSession{RequestID: 3, WantTTY: true, EscapeChar: '~', Term: "vt100", Command: "exit 0"}, fd, fd, fd).(*muxproto.SessionOpened)
		require.Equal(t, &muxproto.TTYAllocFail{SessionID: opened.SessionID}, k.next())
		require.Equal(t, &muxproto.ExitMessage{SessionID: opened.SessionID}, k.next())
		k.end()
		k.save("NEW_SESSION with a tty, sshd_config has PermitTTY no")
	})
	t.Run("second-session", func(t *testing.T) {
		k := dialTalk(t, "second-session", socket)
		in, out, err := os.Pipe()
		require.NoError(t, err)
		defer in.Close()
		defer out.Close()
		cat := &muxproto.NewSession{EscapeChar: muxproto.NoEscape, Command: "cat"}
		opened := k.ask(cat, int(in.Fd()), fd, fd).(*muxproto.SessionOpened)
		cat.RequestID = 1
		require.Equal(t, &muxproto.Failure{RequestID: 1, Reason: "Multiple sessions not supported"}, k.ask(cat, fd, fd, fd))
		require.NoError(t, out.Close())
		require.Equal(t, &muxproto.ExitMessage{SessionID: opened.SessionID}, k.next())
		k.end()
		k.save("NEW_SESSION twice")
	})
	t.Run("stdio-refused", func(t *testing.T) {
		k := dialTalk(t, "stdio-refused", socket)
		require.Equal(t, &muxproto.Failure{RequestID: 4, Reason: "Session open refused by peer"},
			k.ask(&muxproto.NewStdioForward{RequestID: 4, Host: "127.0.0.1", Port: closedPort(t)}, fd, fd))
		k.end()
		k.save("NEW_STDIO_FWD to a closed port")
	})
	t.Run("unsupported", func(t *testing.T) {
		k := dialTalk(t, "unsupported", socket)
		_, err := k.UnixConn().Write([]byte{0, 0, 0, 8, 0x10, 0, 0, 0x99, 0, 0, 0, 5})
		require.NoError(t, err)
		require.Equal(t, &muxproto.Failure{RequestID: 5, Reason: "unsupported request"}, k.next())
		require.IsType(t, &muxproto.Alive{}, k.ask(&muxproto.AliveCheck{RequestID: 6}))
		k.save("type 0x10000099, then ALIVE_CHECK")
	})
	t.Run("forwards", func(t *testing.T) { recordForwards(t, dialTalk(t, "forwards", socket)) })
	t.Run("proxy", func(t *testing.T) { recordProxy(t, dialTalk(t, "proxy", socket)) })
	t.Run("denied", func(t *testing.T) {
		k := dialTalk(t, "denied", s.master(t, "ask", "-MM"))
		denied := "Permission denied"
		require.Equal(t, &muxproto.PermissionDenied{RequestID: 1, Reason: denied},
			k.ask(&muxproto.NewSession{RequestID: 1, Command: "true"}, fd, fd, fd))
		require.Equal(t, &muxproto.PermissionDenied{RequestID: 2, Reason: denied}, k.ask(&muxproto.Terminate{RequestID: 2}))
		require.Equal(t, &muxproto.PermissionDenied{RequestID: 3, Reason: denied}, k.ask(&muxproto.StopListening{RequestID: 3}))
		k.save("NEW_SESSION, TERMINATE, STOP_LISTENING with ControlMaster ask and nobody to ask")
	})
	t.Run("stop", func(t *testing.T) {
		k := dialTalk(t, "stop", socket)
		require.Equal(t, &muxproto.OK{RequestID: 8}, k.ask(&muxproto.StopListening{RequestID: 8}))
		k.save("STOP_LISTENING")
	})
}

// recordForwards opens and cancels forwards of all kinds.
func recordForwards(t *testing.T, k *talk) {
	port, taken := closedPort(t), newTakenPort(t)
	require.Equal(t, &muxproto.OK{}, k.ask(open(0, local("127.0.0.1", port, "127.0.0.1", 9))))
	require.Equal(t, &muxproto.OK{RequestID: 1}, k.ask(open(1, local("127.0.0.1", port, "127.0.0.1", 9))))
	require.Equal(t, &muxproto.Failure{RequestID: 2, Reason: "Port forwarding failed"}, k.ask(open(2, local("127.0.0.1", taken, "h", 9))))
	require.Equal(t, &muxproto.Failure{RequestID: 3, Reason: "Invalid forwarding request"}, k.ask(open(3, local("", port, "h", 0))))
	require.NotZero(t, k.ask(open(4, remote("127.0.0.1", 0, "127.0.0.1", 9))).(*muxproto.RemotePort).Port)
	require.Equal(t, &muxproto.Failure{RequestID: 5, Reason: fmt.Sprintf("remote port forwarding failed for listen port %d", taken)},
		k.ask(open(5, remote("127.0.0.1", taken, "127.0.0.1", 9))))
	cancel := &muxproto.CloseForward{RequestID: 6, Forward: local("127.0.0.1", port, "127.0.0.1", 9)}
	require.Equal(t, &muxproto.OK{RequestID: 6}, k.ask(cancel))
	cancel.RequestID = 7
	require.Equal(t, &muxproto.Failure{RequestID: 7, Reason: "port not forwarded"}, k.ask(cancel))
	k.save("OPEN_FWD: local, again, taken port, invalid, remote port 0, remote taken port; CLOSE_FWD twice")
}

// recordProxy opens an SSH channel by hand.
func recordProxy(t *testing.T, k *talk) {
	require.Equal(t, &muxproto.ProxyReply{RequestID: 0}, k.ask(&muxproto.Proxy{}))
	// RFC 4254 section 5.1: "session", channel 3, window and packet size.
	require.NoError(t, k.WritePacket([]byte{90, 0, 0, 0, 7}, []byte("session"), []byte{0, 0, 0, 3, 0, 0x20, 0, 0, 0, 0, 0x80, 0}))
	frame, err := readFrame(k.UnixConn())
	require.NoError(t, err)
	require.Equal(t, []byte{0, 91, 0, 0, 0, 3}, frame[4:10], "padding length, CHANNEL_OPEN_CONFIRMATION, our channel")
	k.record.add("packet", frame, fmt.Sprintf("SSH message %d", frame[5]))
	k.save("PROXY, then CHANNEL_OPEN session")
}

// closedPort is a port of the loopback interface on which nobody listens.
func closedPort(t testing.TB) uint32 {
	l, port := listen(t)
	require.NoError(t, l.Close())
	return port
}

// newTakenPort is a port of the loopback interface that is in use until the test ends.
func newTakenPort(t testing.TB) uint32 {
	l, port := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	return port
}

func listen(t testing.TB) (net.Listener, uint32) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l, uint32(l.Addr().(*net.TCPAddr).Port)
}

// readFrame reads a frame with its length, without the package's help.
func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, 4)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame))...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}
