package forward_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// socks5 asks for a target by name.
func socks5(host string, port uint32) string {
	req := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)
	return string(binary.BigEndian.AppendUint16(req, uint16(port)))
}

// socks4a asks for a target by name.
func socks4a(host string, port uint32) string {
	req := binary.BigEndian.AppendUint16([]byte{4, 1}, uint16(port))
	return string(req) + "\x00\x00\x00\x01me\x00" + host + "\x00"
}

func write(t *testing.T, c io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func expect(t *testing.T, c io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

// granted5 is the answer of success of version 5.
const granted5 = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

// Checklist 58.
func TestDynamic(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := dynamic(freePort(t))
	s.open(t, f)

	c := dial(t, f.ListenPort)
	write(t, c, "\x05\x01\x00")
	expect(t, c, "\x05\x00")
	write(t, c, socks5("localhost", target))
	expect(t, c, granted5)
	converse(t, c, "version 5")
	s.srv.Log().Await(t, "close")

	c = dial(t, f.ListenPort)
	write(t, c, socks4a(host, target)+"sent ahead, ")
	expect(t, c, "\x00\x5a\x00\x00\x00\x00\x00\x00")
	expect(t, c, "sent ahead, ")
	converse(t, c, "version 4a")

	c = dial(t, f.ListenPort)
	write(t, c, "\x05\x01\x00"+socks5(host, target)) // without waiting
	expect(t, c, "\x05\x00"+granted5)
	converse(t, c, "pipelined")
}

func TestDynamicRefused(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	f := dynamic(freePort(t))
	s.open(t, f)

	c := dial(t, f.ListenPort)
	write(t, c, "\x05\x01\x00")
	expect(t, c, "\x05\x00")
	write(t, c, socks5("127.0.0.1", freePort(t)))
	closed(t, c) // no SOCKS error, as OpenSSH

	c = dial(t, f.ListenPort)
	write(t, c, "GET / HTTP/1.0\r\n\r\n")
	closed(t, c)
	require.Equal(t, 1, s.srv.Counts().Channels, "nonsense does not reach the host")

	s.srv.Refuse("direct-tcpip")
	c = dial(t, f.ListenPort)
	write(t, c, socks4a("127.0.0.1", 1))
	closed(t, c)
}

// A client that says nothing is let go after a time, and its connection counts
// as a handshake meanwhile.
func TestDynamicSilence(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, func(c *forward.Config) { c.HandshakeTime = 300 * time.Millisecond })
	f := dynamic(freePort(t))
	s.open(t, f)
	c := dial(t, f.ListenPort)
	write(t, c, "\x05")
	eventually(t, func() bool { return len(s.Connections()) == 1 }, "a handshake")
	require.Equal(t, forward.StateSOCKS, s.Connections()[0].State)
	require.Equal(t, "dynamic-tcpip", s.Connections()[0].Type)
	closed(t, c)
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "forgotten")
}

// A dynamic forward with a port to connect to is a plain one.
func TestDynamicWithTarget(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := muxproto.Forward{Type: muxproto.ForwardDynamic, ListenPort: freePort(t), ConnectHost: host, ConnectPort: target}
	s.open(t, f)
	converse(t, dial(t, f.ListenPort), "plain")
}

// A client that leaves in the middle of its request leaves nothing behind.
func TestDynamicClientLeaves(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	f := dynamic(freePort(t))
	s.open(t, f)
	for range 10 {
		c := dial(t, f.ListenPort)
		write(t, c, "\x05\x01")
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "all gone")
}
