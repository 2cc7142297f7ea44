package forward_test

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

func TestLocal(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	require.Zero(t, s.open(t, f))
	c := dial(t, f.ListenPort)
	converse(t, c, "there and back")

	open := s.srv.Log().Await(t, s.srv.Log().Kinds(sshtest.KindOpen)[0])
	require.Equal(t, "direct-tcpip", open.Name)
	require.Contains(t, string(open.Payload), "127.0.0.1") // the originator
	s.srv.Log().Await(t, "close")
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "the connection is forgotten")
}

// Checklist 47 and 52: the same forward twice is one; the same port with
// another target fails; cancelling names every field.
func TestIdentity(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	require.False(t, s.Exists(f))
	s.open(t, f)
	require.True(t, s.Exists(f))
	s.open(t, f)
	require.Len(t, s.Listeners(), 1)

	_, err := s.Open(t.Context(), local(f.ListenPort, host, target+1))
	require.ErrorIs(t, err, forward.ErrFailed)
	require.EqualError(t, err, "Port forwarding failed")
	require.False(t, s.Exists(local(f.ListenPort, host, target+1)))

	named := f
	named.ListenHost = "localhost"
	require.EqualError(t, s.Cancel(t.Context(), named), "port not forwarded")
	asDynamic := f
	asDynamic.Type = muxproto.ForwardDynamic // interchangeable, as in OpenSSH
	require.True(t, s.Exists(asDynamic))
	require.NoError(t, s.Cancel(t.Context(), asDynamic))
	require.EqualError(t, s.Cancel(t.Context(), f), "port not forwarded")
	_, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", port(f)))
	require.Error(t, err)

	s.open(t, f) // the port is free
	converse(t, dial(t, f.ListenPort), "again")
}

// Checklist 48 to 50.
func TestInvalid(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	const path = muxproto.PortStreamLocal
	for _, f := range []muxproto.Forward{
		{Type: 0, ListenPort: 1, ConnectHost: "h", ConnectPort: 1},
		{Type: 4, ListenPort: 1, ConnectHost: "h", ConnectPort: 1},
		{Type: 9, ListenPort: 1, ConnectHost: "h", ConnectPort: 1},
		{Type: muxproto.ForwardLocal, ListenPort: 65536, ConnectHost: "h", ConnectPort: 1},
		{Type: muxproto.ForwardLocal, ListenPort: 1, ConnectHost: "h", ConnectPort: 70000},
		{Type: muxproto.ForwardLocal, ListenPort: 1, ConnectHost: "h", ConnectPort: 0},
		{Type: muxproto.ForwardLocal, ListenPort: 1, ConnectHost: "", ConnectPort: 1},
		{Type: muxproto.ForwardRemote, ListenPort: 1, ConnectHost: "", ConnectPort: 1},
		{Type: muxproto.ForwardDynamic, ListenHost: "/s", ListenPort: path, ConnectHost: "socks"},
		{Type: muxproto.ForwardLocal, ListenHost: "", ListenPort: path, ConnectHost: "h", ConnectPort: 1},
	} {
		_, err := s.Open(t.Context(), f)
		require.EqualError(t, err, "Invalid forwarding request", "%v", f)
		require.True(t, s.Exists(f), "nobody is asked about it: %v", f)
	}
	require.EqualError(t, s.Cancel(t.Context(), muxproto.Forward{Type: 9}), "Invalid forwarding request")
	_, err := s.Open(t.Context(), muxproto.Forward{Type: muxproto.ForwardDynamic, ListenPort: freePort(t)})
	require.EqualError(t, err, "Port forwarding failed")
}

// Checklist 51: which addresses a name stands for.
func TestBindAddresses(t *testing.T) {
	sshtest.NoLeaks(t)
	host, target := service(t, echo)
	for _, row := range []struct {
		listen, family string
		gateway        bool
		want           []string
	}{
		{"", "", false, []string{"[::1]", "127.0.0.1"}},
		{"", "any", true, []string{"[::]", "0.0.0.0"}},
		{"*", "", false, []string{"[::]", "0.0.0.0"}},
		{"localhost", "", true, []string{"[::1]", "127.0.0.1"}},
		{"127.0.0.1", "", true, []string{"127.0.0.1"}},
		{"127.0.0.2", "", false, []string{"127.0.0.2"}},
		{"::1", "", false, []string{"[::1]"}},
		{"", "inet", false, []string{"127.0.0.1"}},
		{"", "inet6", false, []string{"[::1]"}},
		{"*", "inet6", false, []string{"[::]"}},
	} {
		if !hasIPv6() && strings.Contains(strings.Join(row.want, ""), "[") {
			continue
		}
		s := newStand(t, func(c *forward.Config) { c.GatewayPorts, c.AddressFamily = row.gateway, row.family })
		f := local(0, host, target)
		f.ListenHost = row.listen
		require.Zero(t, s.open(t, f)) // an ephemeral port is not told
		var got []string
		for _, a := range s.Listeners()[0].Addresses {
			got = append(got, a[:strings.LastIndexByte(a, ':')])
		}
		require.Equal(t, row.want, got, "%+v", row)
		s.Close()
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// One address is enough, and a name that stands for none fails.
func TestSomeAddressesTaken(t *testing.T) {
	sshtest.NoLeaks(t)
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	s := newStand(t, nil)
	host, target := service(t, echo)
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	f := local(portOf(taken.Addr()), host, target)
	s.open(t, f)
	converse(t, dialTo(t, "tcp6", net.JoinHostPort("::1", port(f))), "six")

	f.ListenHost = "name.invalid"
	_, err = s.Open(t.Context(), f)
	require.EqualError(t, err, "Port forwarding failed")
}

func TestRefusedByTheHost(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	f := local(freePort(t), "127.0.0.1", freePort(t))
	s.open(t, f)
	closed(t, dial(t, f.ListenPort))
	closed(t, dial(t, f.ListenPort)) // and it still listens
}

// Checklist 59 and the combinations of ports and unix sockets.
func TestUnixSockets(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	path := unixService(t, echo)
	dir := shortDir(t)

	toTCP := local(muxproto.PortStreamLocal, host, target)
	toTCP.ListenHost = filepath.Join(dir, "to-tcp")
	s.open(t, toTCP)
	converse(t, dialTo(t, "unix", toTCP.ListenHost), "unix to TCP")
	info, err := os.Stat(toTCP.ListenHost)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	toUnix := toTCP
	toUnix.ListenHost = filepath.Join(dir, "to-unix")
	toUnix.ConnectHost, toUnix.ConnectPort = path, muxproto.PortStreamLocal
	s.open(t, toUnix)
	converse(t, dialTo(t, "unix", toUnix.ListenHost), "unix to unix")

	fromTCP := local(freePort(t), path, muxproto.PortStreamLocal)
	s.open(t, fromTCP)
	converse(t, dial(t, fromTCP.ListenPort), "TCP to unix")

	// The file stays after a cancel, and is in the way then.
	require.NoError(t, s.Cancel(t.Context(), toTCP))
	require.FileExists(t, toTCP.ListenHost)
	_, err = s.Open(t.Context(), toTCP)
	require.EqualError(t, err, "Port forwarding failed")
	require.NoError(t, os.Remove(toTCP.ListenHost))
	s.open(t, toTCP)
}

func TestUnixSocketMaskAndUnlink(t *testing.T) {
	sshtest.NoLeaks(t)
	dir := shortDir(t)
	s := newStand(t, func(c *forward.Config) {
		c.StreamLocalBindMask, c.StreamLocalBindUnlink, c.Dir = 0o117, true, dir
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "s"), nil, 0o600))
	host, target := service(t, echo)
	f := local(muxproto.PortStreamLocal, host, target)
	f.ListenHost = "s" // relative
	s.open(t, f)
	converse(t, dialTo(t, "unix", filepath.Join(dir, "s")), "hello")
	info, err := os.Stat(filepath.Join(dir, "s"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o660), info.Mode().Perm())

	deep := strings.Repeat("a-deep-folder/", 12)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, deep), 0o700))
	f.ListenHost = deep + "s"
	if runtime.GOOS == "linux" {
		s.open(t, f)
		require.FileExists(t, filepath.Join(dir, f.ListenHost))
		remotely := remote(freePort(t), f.ListenHost, muxproto.PortStreamLocal)
		s.open(t, remotely) // connects to the socket, which leads on
		converse(t, dial(t, remotely.ListenPort), "deep")
	} else {
		_, err = s.Open(t.Context(), f)
		require.EqualError(t, err, "Port forwarding failed")
	}
	f.ListenHost = strings.Repeat("n", 200)
	_, err = s.Open(t.Context(), f)
	require.EqualError(t, err, "Port forwarding failed")

	f.ListenHost = "no/such/folder/s"
	_, err = s.Open(t.Context(), f)
	require.EqualError(t, err, "Port forwarding failed")
}

// Checklist 60.
func TestConnectionsSurviveCancel(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)
	c := dial(t, f.ListenPort)
	io.WriteString(c, "before")
	got := make([]byte, 6)
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.NoError(t, s.Cancel(t.Context(), f))
	converse(t, c, ", after")
}

// A link that is lost ends its connections; the forward listens on.
func TestLinkIsLost(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)
	c := dial(t, f.ListenPort)
	io.WriteString(c, "x")
	io.ReadFull(c, make([]byte, 1))
	s.link.Close()
	closed(t, c)
	closed(t, dial(t, f.ListenPort))
	require.True(t, s.Exists(f))
}

// A hundred at once, each with its own bytes both ways, and one that nobody
// reads does not hold up the others.
func TestManyAtOnce(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)

	flood := local(freePort(t), host, 0)
	flood.ConnectHost, flood.ConnectPort = service(t, func(c net.Conn) {
		for block := make([]byte, 64<<10); ; {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
	s.open(t, flood)
	unread := dial(t, flood.ListenPort)
	io.ReadFull(unread, make([]byte, 1))

	const connections, size = 100, 100 << 10
	var all sync.WaitGroup
	for range connections {
		c := dial(t, f.ListenPort)
		all.Go(func() {
			sent := make([]byte, size)
			rand.Read(sent)
			all.Go(func() {
				c.Write(sent)
				c.(*net.TCPConn).CloseWrite()
			})
			sum := sha256.New()
			n := copyBytes(sum, io.LimitReader(c, size))
			if want := sha256.Sum256(sent); n != size || string(sum.Sum(nil)) != string(want[:]) {
				t.Errorf("%d bytes came back, or wrong ones", n)
			}
			copyBytes(io.Discard, c)
		})
	}
	all.Wait()
	unread.Close()
	eventually(t, func() bool { return len(s.Connections()) == 0 }, "all connections are over")
}

func TestCloseEndsEverything(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)
	c := dial(t, f.ListenPort)
	io.WriteString(c, "x")
	io.ReadFull(c, make([]byte, 1))
	s.Close()
	closed(t, c)
	_, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port(f)))
	require.Error(t, err)
	_, err = s.Open(t.Context(), f)
	require.ErrorIs(t, err, forward.ErrFailed)
	s.Close()
}

// Close does not wait for a host that is asked for a channel and says nothing.
func TestCloseWhileOpening(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	release := s.srv.Hold("direct-tcpip")
	defer release()
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)
	c := dial(t, f.ListenPort)
	eventually(t, func() bool { return len(s.Connections()) == 1 }, "a connection")
	require.Equal(t, forward.StateOpening, s.Connections()[0].State)
	s.Close()
	closed(t, c)
}

// Only connections that are carried keep a master alive.
func TestBusy(t *testing.T) {
	sshtest.NoLeaks(t)
	var mu sync.Mutex
	busy := 0
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return busy
	}
	s := newStand(t, func(c *forward.Config) {
		c.Busy = func() func() {
			mu.Lock()
			defer mu.Unlock()
			busy++
			return func() {
				mu.Lock()
				defer mu.Unlock()
				busy--
			}
		}
	})
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)
	require.Zero(t, count())
	c := dial(t, f.ListenPort)
	eventually(t, func() bool { return count() == 1 }, "busy")
	converse(t, c, "x")
	eventually(t, func() bool { return count() == 0 }, "idle")
}

// Names and states are those of OpenSSH's list of channels.
func TestNames(t *testing.T) {
	sshtest.NoLeaks(t)
	s := newStand(t, nil)
	host, target := service(t, echo)
	f := local(freePort(t), host, target)
	s.open(t, f)
	c := dial(t, f.ListenPort)
	eventually(t, func() bool {
		all := s.Connections()
		return len(all) == 1 && all[0].State == forward.StateOpen
	}, "open")
	from := c.LocalAddr().(*net.TCPAddr)
	conn := s.Connections()[0]
	require.Equal(t, "direct-tcpip", conn.Type)
	require.Equal(t, "direct-tcpip: listening port "+port(f)+" for 127.0.0.1 port "+decimal(target)+
		", connect from 127.0.0.1 port "+decimal(uint32(from.Port))+" to 127.0.0.1 port "+port(f), conn.Name)
	require.False(t, conn.Began.IsZero())
}
