package forward_test

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// Checklist 53 and 55: how a place is named to the host.
func TestRemote(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := remote(freePort(t), host, target)
	require.Zero(t, s.open(t, f))
	s.open(t, f) // again: nothing is sent
	s.srv.Log().Await(t, "global tcpip-forward localhost:"+port(f))
	converse(t, dial(t, f.ListenPort), "from the host")

	require.NoError(t, s.Cancel(t.Context(), f))
	require.EqualError(t, s.Cancel(t.Context(), f), "port not forwarded")
	e := s.srv.Log().Await(t, "global cancel-tcpip-forward localhost:"+port(f))
	require.False(t, e.WantReply)
	require.Len(t, s.srv.Log().Kinds(sshtest.KindGlobal), 2)

	everything := remote(freePort(t), host, target)
	everything.ListenHost = "*"
	s.open(t, everything)
	s.srv.Log().Await(t, "global tcpip-forward :"+port(everything))
	converse(t, dial(t, everything.ListenPort), "everything")
	named := remote(freePort(t), host, target)
	named.ListenHost = "192.0.2.1"
	s.open(t, named)
	s.srv.Log().Await(t, "global tcpip-forward 192.0.2.1:"+port(named))
}

func TestRemoteRefused(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := remote(freePort(t), host, target)
	s.srv.Refuse("tcpip-forward", "streamlocal-forward@openssh.com")
	_, err := s.Open(t.Context(), f)
	require.EqualError(t, err, "remote port forwarding failed for listen port "+port(f))
	require.ErrorIs(t, err, forward.ErrRefused)
	_, err = s.Open(t.Context(), remote(0, host, target))
	require.EqualError(t, err, "remote port forwarding failed for listen port 0")
	path := remote(muxproto.PortStreamLocal, host, target)
	path.ListenHost = "/some/where"
	_, err = s.Open(t.Context(), path)
	require.EqualError(t, err, "remote port forwarding failed for listen path /some/where")
	require.False(t, s.Exists(f))

	s.srv.Accept("tcpip-forward")
	s.open(t, f)
	converse(t, dial(t, f.ListenPort), "retried")
}

// Checklist 54: the host chooses, is asked once, and is told its own choice.
func TestRemoteAnyPort(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := remote(0, host, target)
	chosen := s.open(t, f)
	require.NotZero(t, chosen)
	require.Equal(t, chosen, s.open(t, f))
	require.Len(t, s.srv.Log().Kinds(sshtest.KindGlobal), 1)
	other := remote(0, host, target+1)
	require.NotEqual(t, chosen, s.open(t, other))
	converse(t, dial(t, chosen), "any")

	byPort := f
	byPort.ListenPort = chosen
	require.EqualError(t, s.Cancel(t.Context(), byPort), "port not forwarded")
	require.NoError(t, s.Cancel(t.Context(), f))
	s.srv.Log().Await(t, "global cancel-tcpip-forward localhost:"+decimal(chosen))
}

// Unix sockets at the host, at the target, and at both.
func TestRemoteUnixSockets(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	path := unixService(t, echo)
	dir := shortDir(t)

	f := remote(muxproto.PortStreamLocal, host, target)
	f.ListenHost = filepath.Join(dir, "a")
	s.open(t, f)
	converse(t, dialTo(t, "unix", f.ListenHost), "unix to TCP")
	g := remote(muxproto.PortStreamLocal, path, muxproto.PortStreamLocal)
	g.ListenHost = filepath.Join(dir, "b")
	s.open(t, g)
	converse(t, dialTo(t, "unix", g.ListenHost), "unix to unix")
	h := remote(freePort(t), path, muxproto.PortStreamLocal)
	s.open(t, h)
	converse(t, dial(t, h.ListenPort), "TCP to unix")

	require.NoError(t, s.Cancel(t.Context(), f))
	s.srv.Log().Await(t, "global cancel-streamlocal-forward@openssh.com "+f.ListenHost)
	_, err := s.conn(t).OpenChannel("forwarded-streamlocal@openssh.com", ssh.Marshal(struct{ Path, Reserved string }{f.ListenHost, ""}))
	requireRefused(t, err, ssh.Prohibited, "open failed")
}

// conn is the server's end of the link.
func (s *stand) conn(t *testing.T) *sshtest.Conn {
	t.Helper()
	eventually(t, func() bool { return len(s.srv.Conns()) == 1 }, "a connection")
	return s.srv.Conns()[0]
}

// openTCP opens a channel from the host, for a connection to host:port.
func (s *stand) openTCP(t *testing.T, host string, port uint32) (ssh.Channel, error) {
	t.Helper()
	ch, err := s.conn(t).OpenChannel("forwarded-tcpip", ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{host, port, "192.0.2.9", 4711}))
	if err == nil {
		t.Cleanup(func() { ch.Close() })
	}
	return ch, err
}

func requireRefused(t *testing.T, err error, reason ssh.RejectionReason, message string) {
	t.Helper()
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, reason, refused.Reason)
	require.Equal(t, message, refused.Message)
}

// Checklist 56, and the reasons that the host hears.
func TestRemoteChannelRefused(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	dead := freePort(t)
	s.open(t, remote(8001, "127.0.0.1", dead))
	s.open(t, remote(8002, "name.invalid", 80))
	s.open(t, remote(8003, filepath.Join(shortDir(t), "none"), muxproto.PortStreamLocal))

	_, err := s.openTCP(t, "localhost", 8001)
	requireRefused(t, err, ssh.ConnectionFailed, "Connection refused")
	_, err = s.openTCP(t, "localhost", 8002)
	requireRefused(t, err, ssh.Prohibited, "open failed")
	_, err = s.openTCP(t, "localhost", 8003)
	requireRefused(t, err, ssh.Prohibited, "open failed")
	_, err = s.openTCP(t, "localhost", 8004)
	requireRefused(t, err, ssh.Prohibited, "open failed")
	_, err = s.conn(t).OpenChannel("forwarded-tcpip", []byte("nonsense"))
	requireRefused(t, err, ssh.Prohibited, "open failed")
}

// Some servers name another address than they were asked for; then the port
// counts, if it is the only one.
func TestRemoteOtherAddress(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	s.open(t, remote(8001, host, target))
	for _, name := range []string{"localhost", "127.0.0.1", ""} {
		ch, err := s.openTCP(t, name, 8001)
		require.NoError(t, err, name)
		write(t, ch, "hello")
		require.NoError(t, ch.CloseWrite())
		require.Equal(t, "hello and that was all", readAll(t, ch))
	}
	chosen := s.open(t, remote(0, host, target))
	_, err := s.openTCP(t, "localhost", chosen)
	require.NoError(t, err)
	_, err = s.openTCP(t, "localhost", 0) // as OpenSSH 5 names it
	require.NoError(t, err)
}

// What the host sent before it closed the channel reaches a target that reads
// slowly, and then the end of it.
func TestDataBeforeCloseArrives(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	text := strings.Repeat("0123456789abcdef", 96<<10) // fits the window, not a socket
	begin, got := make(chan struct{}), make(chan string, 1)
	host, target := service(t, func(c net.Conn) {
		<-begin
		got <- readAll(t, c)
	})
	s.open(t, remote(8001, host, target))
	ch, err := s.openTCP(t, "localhost", 8001)
	require.NoError(t, err)
	write(t, ch, text)
	require.NoError(t, ch.Close())
	_, err = ch.Read(make([]byte, 1)) // until the CLOSE was answered
	require.ErrorIs(t, err, io.EOF)
	close(begin)
	require.True(t, text == <-got)
}

// Requests on a channel are answered, and extended data does not use up its
// window.
func TestChannelIsServed(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	s.open(t, remote(8001, host, target))
	ch, err := s.openTCP(t, "localhost", 8001)
	require.NoError(t, err)
	for range 40 {
		ok, err := ch.SendRequest("keepalive@openssh.com", true, nil)
		require.NoError(t, err)
		require.False(t, ok)
	}
	waste := make([]byte, 1<<20)
	for range 5 {
		_, err := ch.Stderr().Write(waste)
		require.NoError(t, err)
	}
	write(t, ch, "still here")
	require.NoError(t, ch.CloseWrite())
	require.Equal(t, "still here and that was all", readAll(t, ch))
}

// A target that dies ends the channel, and its data before.
func TestTargetResets(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	})
	s.open(t, remote(8001, host, target))
	ch, err := s.openTCP(t, "localhost", 8001)
	require.NoError(t, err)
	write(t, ch, "x")
	require.Empty(t, readAll(t, ch))
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "over")
}

// Checklist 57: SOCKS at the host's end.
func TestRemoteDynamic(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	_, target := service(t, echo)
	f := remote(freePort(t), "socks", 0)
	s.open(t, f)
	c := dial(t, f.ListenPort)
	write(t, c, "\x05\x01\x00")
	expect(t, c, "\x05\x00")
	write(t, c, socks5("localhost", target)+"ahead, ")
	expect(t, c, granted5+"ahead, ")
	converse(t, c, "remote SOCKS")

	c = dial(t, f.ListenPort)
	write(t, c, socks4a("127.0.0.1", freePort(t)))
	closed(t, c)
	c = dial(t, f.ListenPort)
	write(t, c, "nonsense")
	closed(t, c)
	c = dial(t, f.ListenPort)
	write(t, c, "\x05")
	eventually(t, func() bool {
		all := s.Connections()
		return len(all) == 1 && all[0].State == forward.StateRemoteSOCKS && all[0].Name == "127.0.0.1"
	}, "a handshake")
	c.Close()
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "over")
}

func TestPermitRemoteOpen(t *testing.T) {
	sshtest.NoLeaks(t)
	host, target := service(t, echo)
	for _, row := range []struct {
		patterns []string
		allowed  bool
	}{
		{nil, true},
		{[]string{"any"}, true},
		{[]string{"none"}, false},
		{[]string{"other:1", host + ":" + decimal(target)}, true},
		{[]string{host + ":1"}, false},
		{[]string{"*:" + decimal(target)}, true},
		{[]string{host + ":*"}, true},
		{[]string{"[" + host + "]:*"}, true},
		{[]string{"localhost:*"}, false},
	} {
		s := newStand(t, func(c *forward.Config) { c.PermitRemoteOpen = row.patterns })
		f := remote(freePort(t), "socks", 0)
		s.open(t, f)
		c := dial(t, f.ListenPort)
		write(t, c, socks4a(host, target))
		if row.allowed {
			expect(t, c, "\x00\x5a\x00\x00\x00\x00\x00\x00")
		} else {
			closed(t, c)
		}
		c.Close()
		s.Close()
	}
	// Forwards with a target of their own are not its business.
	s := newStand(t, func(c *forward.Config) { c.PermitRemoteOpen = []string{"none"} })
	f := remote(freePort(t), host, target)
	s.open(t, f)
	converse(t, dial(t, f.ListenPort), "not SOCKS")
}

// A slave that leaves while the host thinks does not take the forward with it.
func TestRemoteSlaveLeaves(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := remote(freePort(t), host, target)
	release := s.srv.Hold("tcpip-forward")
	ctx, leave := contextWithCancel(t)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Open(ctx, f)
		failed <- err
	}()
	s.srv.Log().Await(t, "global tcpip-forward localhost:"+port(f))
	leave()
	require.Error(t, <-failed)
	require.True(t, s.Exists(f))
	release()
	s.open(t, f)
	converse(t, dial(t, f.ListenPort), "stayed")
}
