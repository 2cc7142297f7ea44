package forward_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

const patience = 10 * time.Second

// A stand is a registry on a link to a server.
type stand struct {
	*forward.Registry
	srv  *sshtest.Server
	link *sshtest.Link
}

// newStand starts a server, a link and a registry; change may alter its
// configuration.
func newStand(t *testing.T, change func(*forward.Config)) *stand {
	t.Helper()
	srv := sshtest.NewServer(t)
	s := &stand{srv: srv}
	// The link has to know the handlers and the registry the link.
	handlers := make(map[string]func(ssh.NewChannel))
	for _, name := range []string{"forwarded-tcpip", "forwarded-streamlocal@openssh.com"} {
		handlers[name] = func(nc ssh.NewChannel) { s.Remotes().Handlers()[name](nc) }
	}
	s.link = srv.Link(t, handlers)
	cfg := forward.Config{Opener: s.link, Requester: s.link, StreamLocalBindMask: 0o177, Dir: t.TempDir()}
	if change != nil {
		change(&cfg)
	}
	s.Registry = forward.New(cfg)
	t.Cleanup(s.Close)
	return s
}

// open opens a forward that must work.
func (s *stand) open(t *testing.T, f muxproto.Forward) uint32 {
	t.Helper()
	port, err := s.Open(t.Context(), f)
	require.NoError(t, err)
	return port
}

// service serves every connection until the test ends and returns its address.
func service(t *testing.T, serve func(net.Conn)) (host string, port uint32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveOn(t, l, serve)
	return "127.0.0.1", portOf(l.Addr())
}

// unixService is the same on a unix socket.
func unixService(t *testing.T, serve func(net.Conn)) (path string) {
	t.Helper()
	path = filepath.Join(shortDir(t), "service")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	serveOn(t, l, serve)
	return path
}

func serveOn(t *testing.T, l net.Listener, serve func(net.Conn)) {
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
}

// shortDir is a folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fwd")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func portOf(a net.Addr) uint32 { return uint32(a.(*net.TCPAddr).Port) }

// echo sends back what it gets until the end of it, then says so: a half-close
// that is not kept either way does not get this far.
func echo(c net.Conn) {
	n := copyBytes(c, c)
	io.WriteString(c, " and that was all")
	_ = n
}

// copyBytes is io.Copy without splice(2), whose pipes Go keeps.
func copyBytes(to io.Writer, from io.Reader) int64 {
	n, _ := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
	return n
}

// freePort is a port on which nobody listens.
func freePort(t *testing.T) uint32 {
	t.Helper()
	return uint32(sshtest.FreePort(t))
}

// dial connects to a forward on the loopback.
func dial(t *testing.T, port uint32) net.Conn {
	t.Helper()
	return dialTo(t, "tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)).String())
}

func dialTo(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, address, patience)
	require.NoError(t, err)
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// converse sends text, ends its half and expects the echo.
func converse(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
	require.Equal(t, text+" and that was all", readAll(t, c))
}

func readAll(t *testing.T, c io.Reader) string {
	t.Helper()
	var all bytes.Buffer
	copyBytes(&all, c)
	return all.String()
}

// closed expects the end of a connection without a byte.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// local is -L on a port of the loopback.
func local(port uint32, host string, target uint32) muxproto.Forward {
	return muxproto.Forward{Type: muxproto.ForwardLocal, ListenPort: port, ConnectHost: host, ConnectPort: target}
}

func dynamic(port uint32) muxproto.Forward {
	return muxproto.Forward{Type: muxproto.ForwardDynamic, ListenPort: port, ConnectHost: "socks"}
}

func remote(port uint32, host string, target uint32) muxproto.Forward {
	return muxproto.Forward{Type: muxproto.ForwardRemote, ListenPort: port, ConnectHost: host, ConnectPort: target}
}

// eventually polls for a condition.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + strings.TrimSpace(what))
		}
	}
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// port is the port that a forward listens on, in figures.
func port(f muxproto.Forward) string { return decimal(f.ListenPort) }

// occupy listens on a port of the loopback until it is told to stop.
func occupy(t *testing.T, port uint32) (stop func()) {
	t.Helper()
	var l net.Listener
	eventually(t, func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", "127.0.0.1:"+decimal(port))
		return err == nil
	}, "the port is free")
	t.Cleanup(func() { l.Close() })
	return func() { l.Close() }
}
