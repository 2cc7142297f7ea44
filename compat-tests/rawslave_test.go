package compat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The numbers of PROTOCOL.mux, written down here once more so that the tests do not depend on the package under test.
const (
	typeHello      uint32 = 0x00000001
	typeNewSession uint32 = 0x10000002
	typeAlive      uint32 = 0x10000004
	typeTerminate  uint32 = 0x10000005
	typeOpenFwd    uint32 = 0x10000006
	typeCloseFwd   uint32 = 0x10000007
	typeStdioFwd   uint32 = 0x10000008
	typeStop       uint32 = 0x10000009
	typeProxy      uint32 = 0x1000000f

	typeOK             uint32 = 0x80000001
	typeDenied         uint32 = 0x80000002
	typeFailure        uint32 = 0x80000003
	typeExit           uint32 = 0x80000004
	typeAliveReply     uint32 = 0x80000005
	typeSessionOpened  uint32 = 0x80000006
	typeRemotePort     uint32 = 0x80000007
	typeTTYAllocFailed uint32 = 0x80000008
)

const noEscape uint32 = 0xffffffff

// body builds a message from number and string fields; []byte is put in as it is.
func body(fields ...any) []byte {
	var b []byte
	for _, field := range fields {
		switch f := field.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(f))
		case uint32:
			b = binary.BigEndian.AppendUint32(b, f)
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
		case []byte:
			b = append(b, f...)
		default:
			panic(fmt.Sprintf("no such field: %T", field))
		}
	}
	return b
}

// frame is a message with its length before it.
func frame(fields ...any) []byte {
	b := body(fields...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func hello() []byte { return frame(typeHello, uint32(4)) }

// newSession asks for command without a tty; its three descriptors must follow.
func newSession(id uint32, command string, env ...string) []byte {
	fields := []any{typeNewSession, id, "", uint32(0), uint32(0), uint32(0), uint32(0), noEscape, "", command}
	for _, e := range env {
		fields = append(fields, e)
	}
	return frame(fields...)
}

// rawSlave speaks the protocol byte by byte, also wrongly.
type rawSlave struct{ conn *net.UnixConn }

// Connect attaches a raw slave; nothing is sent yet.
func (m *Master) Connect(t testing.TB) *rawSlave {
	t.Helper()
	conn, err := net.Dial("unix", m.Control)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &rawSlave{conn.(*net.UnixConn)}
}

// Attach connects and exchanges the HELLO.
func (m *Master) Attach(t testing.TB) *rawSlave {
	t.Helper()
	s := m.Connect(t)
	require.NoError(t, s.send(hello()))
	f, err := s.readFrame()
	require.NoError(t, err)
	require.Equal(t, typeHello, f.kind())
	return s
}

func (s *rawSlave) send(frames ...[]byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(patience))
	for _, f := range frames {
		if _, err := s.conn.Write(f); err != nil {
			return err
		}
	}
	return nil
}

// sendFile passes one descriptor as the protocol wants it: one byte, one control message.
func (s *rawSlave) sendFile(files ...*os.File) error {
	for _, f := range files {
		if err := s.sendTogether(f); err != nil {
			return err
		}
	}
	return nil
}

// sendTogether passes several in one message, which no slave should.
func (s *rawSlave) sendTogether(files ...*os.File) error { return s.sendBeside([]byte{0}, files...) }

// sendBeside passes them beside other bytes than the protocol's one.
func (s *rawSlave) sendBeside(data []byte, files ...*os.File) error {
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	_, _, err := s.conn.WriteMsgUnix(data, syscall.UnixRights(fds...), nil)
	return err
}

// reply is the body of one message of the master.
type reply []byte

func (r reply) kind() uint32 { return r.word(0) }

// word is the i-th uint32 of the body.
func (r reply) word(i int) uint32 {
	if len(r) < 4*(i+1) {
		return 0
	}
	return binary.BigEndian.Uint32(r[4*i:])
}

// text is the string that begins after n words.
func (r reply) text(n int) string {
	if len(r) < 4*n+4 {
		return ""
	}
	rest := r[4*n+4:]
	if size := int(r.word(n)); size < len(rest) {
		rest = rest[:size]
	}
	return string(rest)
}

// readFrame reads the next message; any end of the connection is io.EOF.
func (s *rawSlave) readFrame() (reply, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	var header [4]byte
	if _, err := io.ReadFull(s.conn, header[:]); err != nil {
		return nil, asEnd(err)
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > 1<<20 {
		return nil, fmt.Errorf("compat: the master announced %d bytes", size)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(s.conn, b)
	return b, asEnd(err)
}

// asEnd makes a reset, which the system sends when a connection is closed with bytes unread, an ordinary end.
func asEnd(err error) error {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) {
		return io.EOF
	}
	return err
}

// expectKind reads the next message, which must be of that kind.
func (s *rawSlave) expectKind(t testing.TB, kind uint32) reply {
	t.Helper()
	f, err := s.readFrame()
	require.NoError(t, err)
	require.Equal(t, kind, f.kind(), "%q", []byte(f))
	return f
}

// expectEnd requires that nothing but the end of the connection follows.
func (s *rawSlave) expectEnd(t testing.TB) {
	t.Helper()
	f, err := s.readFrame()
	require.ErrorIs(t, err, io.EOF, "%q", []byte(f))
}

// pipes are the three descriptors of a session: ends for the slave to pass on, ends for the test to keep.
type pipes struct {
	passed [3]*os.File
	in     *os.File
	out    *os.File
	err    *os.File
}

func newPipes(t testing.TB) *pipes {
	t.Helper()
	var p pipes
	var e error
	p.passed[0], p.in, e = os.Pipe()
	require.NoError(t, e)
	p.out, p.passed[1], e = os.Pipe()
	require.NoError(t, e)
	p.err, p.passed[2], e = os.Pipe()
	require.NoError(t, e)
	t.Cleanup(func() {
		p.drop()
		_ = p.in.Close()
		_ = p.out.Close()
		_ = p.err.Close()
	})
	return &p
}

// drop closes the slave's copies, so that the ends seen by the test depend on the master alone.
func (p *pipes) drop() {
	for _, f := range p.passed {
		_ = f.Close()
	}
}

// Open starts a session and waits for its SESSION_OPENED; the session's id is returned.
func (s *rawSlave) Open(t testing.TB, p *pipes, command string) uint32 {
	t.Helper()
	require.NoError(t, s.send(newSession(1, command)))
	require.NoError(t, s.sendFile(p.passed[:]...))
	opened := s.expectKind(t, typeSessionOpened)
	require.EqualValues(t, 1, opened.word(1))
	p.drop()
	return opened.word(2)
}

func splitHostPort(t testing.TB, address string) (string, uint32) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return host, uint32(n)
}
