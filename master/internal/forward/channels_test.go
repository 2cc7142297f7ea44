package forward_test

import (
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/forward/x11"
	"sshmaster/master/internal/sshtest"
)

// serving is a stand that handles one more type of channel.
func serving(t *testing.T, name string, handler func(*forward.Registry) func(ssh.NewChannel)) *stand {
	t.Helper()
	s := newStand(t, nil)
	s.link.Close()
	s.srv.Log().Await(t, "disconnect")
	s.link = s.srv.Link(t, map[string]func(ssh.NewChannel){name: handler(s.Registry)})
	return s
}

func TestAgent(t *testing.T) {
	sshtest.NoLeaks(t)
	path := unixService(t, func(c net.Conn) { copyBytes(c, c) })
	current := ""
	s := serving(t, "auth-agent@openssh.com", func(r *forward.Registry) func(ssh.NewChannel) {
		return r.Agent(func() string { return current })
	})
	_, err := s.conn(t).OpenChannel("auth-agent@openssh.com", nil)
	requireRefused(t, err, ssh.Prohibited, "open failed")
	current = filepath.Join(t.TempDir(), "none")
	_, err = s.conn(t).OpenChannel("auth-agent@openssh.com", nil)
	requireRefused(t, err, ssh.Prohibited, "open failed")

	current = path
	ch, err := s.conn(t).OpenChannel("auth-agent@openssh.com", nil)
	require.NoError(t, err)
	write(t, ch, "request")
	expect(t, ch, "request")
	require.Equal(t, "agent-connection", s.Connections()[0].Type)
	require.Equal(t, "authentication agent connection", s.Connections()[0].Name)

	// The host's end of file ends the whole connection, as in OpenSSH.
	require.NoError(t, ch.CloseWrite())
	require.Empty(t, readAll(t, ch))
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "over")
}

// The agent's own end is passed on, and what it said before.
func TestAgentEnds(t *testing.T) {
	sshtest.NoLeaks(t)
	path := unixService(t, func(c net.Conn) { io.WriteString(c, "bye") })
	s := serving(t, "auth-agent@openssh.com", func(r *forward.Registry) func(ssh.NewChannel) {
		return r.Agent(func() string { return path })
	})
	ch, err := s.conn(t).OpenChannel("auth-agent@openssh.com", nil)
	require.NoError(t, err)
	require.Equal(t, "bye", readAll(t, ch))
	require.NoError(t, ch.Close())
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "over")
}

// setupPacket is an X client's first packet.
func setupPacket(cookie []byte) string {
	const protocol = "MIT-MAGIC-COOKIE-1"
	return "l\x00\x0b\x00\x00\x00\x12\x00\x10\x00\x00\x00" + protocol + "\x00\x00" + string(cookie)
}

func TestX11(t *testing.T) {
	sshtest.NoLeaks(t)
	dir := shortDir(t)
	l, err := net.Listen("unix", filepath.Join(dir, "X7"))
	require.NoError(t, err)
	serveOn(t, l, func(c net.Conn) { copyBytes(c, c) })
	const cookie = "00112233445566778899aabbccddeeff"
	xauth := filepath.Join(dir, "xauth")
	require.NoError(t, os.WriteFile(xauth, []byte("#!/bin/sh\necho 'box/unix:7 MIT-MAGIC-COOKIE-1 "+cookie+"'\n"), 0o700))
	display := x11.New(x11.Config{Display: ":7", Trusted: true, XAuth: xauth, Sockets: dir})
	s := serving(t, "x11", func(r *forward.Registry) func(ssh.NewChannel) { return r.X11(display) })
	open := func() (ssh.Channel, error) {
		return s.conn(t).OpenChannel("x11", ssh.Marshal(struct {
			Host string
			Port uint32
		}{"127.0.0.1", 4711}))
	}

	_, err = open()
	requireRefused(t, err, ssh.Prohibited, "open failed") // no session asked for it
	req, err := display.Prepare(t.Context())
	require.NoError(t, err)
	fake, err := hex.DecodeString(req.Cookie)
	require.NoError(t, err)
	real, err := hex.DecodeString(cookie)
	require.NoError(t, err)

	ch, err := open()
	require.NoError(t, err)
	eventually(t, func() bool { return s.Connections()[0].State == forward.StateX11 }, "waits for the cookie")
	require.Equal(t, "x11-connection", s.Connections()[0].Type)
	write(t, ch, setupPacket(fake)+"and more")
	expect(t, ch, setupPacket(real)+"and more")
	require.NoError(t, ch.CloseWrite())
	require.Empty(t, readAll(t, ch))

	ch, err = open()
	require.NoError(t, err)
	write(t, ch, setupPacket(real))
	require.Empty(t, readAll(t, ch), "the wrong cookie")
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "over")

	// A session that began on another display finds its own.
	other, err := net.Listen("unix", filepath.Join(dir, "X8"))
	require.NoError(t, err)
	serveOn(t, other, func(c net.Conn) {
		io.WriteString(c, "eight")
		copyBytes(c, c)
	})
	display.Use(":8", nil)
	later, err := display.Prepare(t.Context())
	require.NoError(t, err)
	for _, tc := range []struct{ cookie, greeting string }{{later.Cookie, "eight"}, {req.Cookie, ""}} {
		fake, err := hex.DecodeString(tc.cookie)
		require.NoError(t, err)
		ch, err := open()
		require.NoError(t, err)
		write(t, ch, setupPacket(fake))
		expect(t, ch, tc.greeting+setupPacket(real))
		require.NoError(t, ch.CloseWrite())
		require.Empty(t, readAll(t, ch))
	}
}
