package compat

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Kinds of a forward (PROTOCOL.mux section 4), and the port that says that the host is the path of a unix socket.
const (
	forwardLocal   = 1
	forwardRemote  = 2
	forwardDynamic = 3

	unixSocket = 0xfffffffe
)

func TestDifferentialForwards(t *testing.T) {
	groups := []group{
		{"local", Setup{}, localRows()},
		{"remote", Setup{}, remoteRows()},
		{"dynamic", Setup{}, dynamicRows()},
		{"invalid", Setup{}, invalidForwardRows()},
		{"by clients", Setup{Server: []string{"MaxSessions 40"}}, forwardClientRows()},
		{"forbidden by the server", Setup{Server: []string{"AllowTcpForwarding no", "AllowStreamLocalForwarding no"}}, forbiddenRows()},
	}
	for _, kind := range []uint32{0, 4, 9} {
		for _, request := range []uint32{typeOpenFwd, typeCloseFwd} {
			groups = append(groups, group{fmt.Sprintf("kind %d in %08x", kind, request), Setup{}, []row{{
				name: "request", do: greeted(sends(frame(request, 1, kind, "", 8080, "h", 80))),
				more: map[string]string{
					"replies":           "stock ends itself, with all its sessions",
					"master afterwards": "stock ends itself, with all its sessions",
				},
			}}})
		}
	}
	compare(t, groups)
}

// freePort is a port where nobody listens, for a forward to listen on.
func freePort(t testing.TB) int {
	_, port := splitHostPort(t, closedPort(t))
	return int(port)
}

// usedPort is a port where somebody listens already, on both loopback addresses where there are two: a server that could
// have one of them would be content.
func usedPort(t testing.TB) int {
	t.Helper()
	_, port := splitHostPort(t, echoServer(t))
	if listener, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port)); err == nil {
		t.Cleanup(func() { _ = listener.Close() })
	}
	return int(port)
}

// forwardFrame asks for a forward to target, or for its end.
func forwardFrame(t testing.TB, request uint32, id int, kind int, listen string, port int, target string) []byte {
	t.Helper()
	host, connectPort := splitHostPort(t, target)
	return frame(request, id, kind, listen, port, host, connectPort)
}

// carries notes what comes back through a forward, the half-close among it.
func (c *conversation) carries(network, address string) {
	c.t.Helper()
	c.lines = append(c.lines, network+" "+exchange(network, address))
}

func exchange(network, address string) string {
	conn, err := net.Dial(network, address)
	if err != nil {
		return "not connected"
	}
	defer conn.Close()
	_ = conn.SetDeadline(soon())
	_, _ = io.WriteString(conn, "there and back\n")
	_ = conn.(interface{ CloseWrite() error }).CloseWrite()
	content, err := io.ReadAll(conn)
	if err != nil && asEnd(err) != io.EOF {
		return "not answered: " + err.Error()
	}
	return fmt.Sprintf("%q", content)
}

// throughChosen is what comes back through a port that the server has chosen. It is content with ::1 where somebody else
// has that port on 127.0.0.1.
func throughChosen(port string) string {
	if through := exchange("tcp", "[::1]:"+port); through != "not connected" {
		return through
	}
	return exchange("tcp", "127.0.0.1:"+port)
}

func localRows() []row {
	return []row{
		{name: "twice, other target, cancel twice", do: greeted(func(c *conversation) {
			port, echo, other := freePort(c.t), echoServer(c.t), echoServer(c.t)
			address := fmt.Sprintf("127.0.0.1:%d", port)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardLocal, "", port, echo))
			c.hear()
			c.carries("tcp", address)
			c.say(forwardFrame(c.t, typeOpenFwd, 2, forwardLocal, "", port, echo))
			c.hear()
			c.say(forwardFrame(c.t, typeOpenFwd, 3, forwardLocal, "", port, other))
			c.hear()
			c.say(forwardFrame(c.t, typeCloseFwd, 4, forwardLocal, "localhost", port, echo))
			c.hear()
			c.say(forwardFrame(c.t, typeCloseFwd, 5, forwardLocal, "", port, other))
			c.hear()
			c.carries("tcp", address)
			c.say(forwardFrame(c.t, typeCloseFwd, 6, forwardLocal, "", port, echo))
			c.hear()
			c.carries("tcp", address)
			c.say(forwardFrame(c.t, typeCloseFwd, 7, forwardLocal, "", port, echo))
			c.hear()
			c.say(forwardFrame(c.t, typeOpenFwd, 8, forwardLocal, "", port, other))
			c.hear()
			c.carries("tcp", address)
			c.stillServed()
		})},
		{name: "bind addresses", do: greeted(func(c *conversation) {
			echo := echoServer(c.t)
			for i, listen := range []string{"", "localhost", "127.0.0.1", "*", "0.0.0.0"} {
				port := freePort(c.t)
				c.lines = append(c.lines, "listen "+listen)
				c.say(forwardFrame(c.t, typeOpenFwd, i, forwardLocal, listen, port, echo))
				c.hear()
				c.lines = append(c.lines, "on "+strings.Join(listeners(c.t, port), " "))
				c.carries("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				c.say(forwardFrame(c.t, typeCloseFwd, 10+i, forwardLocal, listen, port, echo))
				c.hear()
			}
			c.stillServed()
		})},
		{name: "address that is not here", do: greeted(func(c *conversation) {
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardLocal, "192.0.2.1", freePort(c.t), echoServer(c.t)))
			c.hear()
			c.stillServed()
		})},
		{name: "target refused", do: greeted(func(c *conversation) {
			port := freePort(c.t)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardLocal, "", port, closedPort(c.t)))
			c.hear()
			c.carries("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			c.stillServed()
		})},
		{name: "unix socket to TCP", do: greeted(func(c *conversation) {
			path := filepath.Join(c.m.Dir, "l1")
			host, port := splitHostPort(c.t, echoServer(c.t))
			c.say(frame(typeOpenFwd, 1, forwardLocal, path, unixSocket, host, port))
			c.hear()
			info, err := os.Lstat(path)
			require.NoError(c.t, err)
			c.lines = append(c.lines, info.Mode().String())
			c.carries("unix", path)
			c.say(frame(typeOpenFwd, 2, forwardLocal, path, unixSocket, host, port))
			c.hear()
			c.say(frame(typeCloseFwd, 3, forwardLocal, path, unixSocket, host, port))
			c.hear()
			c.lines = append(c.lines, fmt.Sprint("left behind: ", exists(path)))
			c.say(frame(typeOpenFwd, 4, forwardLocal, path, unixSocket, host, port))
			c.hear()
			c.stillServed()
		})},
		{name: "TCP to unix socket", do: greeted(func(c *conversation) {
			port, path := freePort(c.t), unixEcho(c.t, filepath.Join(c.m.Dir, "e"))
			c.say(frame(typeOpenFwd, 1, forwardLocal, "", port, path, unixSocket))
			c.hear()
			c.carries("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			c.stillServed()
		})},
		{name: "unix path in use", do: greeted(func(c *conversation) {
			path := write(c.t, filepath.Join(c.m.Dir, "used"), 0o600, "precious")
			c.say(frame(typeOpenFwd, 1, forwardLocal, path, unixSocket, "127.0.0.1", 1))
			c.hear()
			c.lines = append(c.lines, read(c.t, path))
			c.stillServed()
		})},
		{name: "live connection survives the cancel", do: greeted(func(c *conversation) {
			port, echo := freePort(c.t), echoServer(c.t)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardLocal, "", port, echo))
			c.hear()
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			require.NoError(c.t, err)
			defer conn.Close()
			_, err = io.ReadFull(conn, make([]byte, len("welcome\n")))
			require.NoError(c.t, err)
			c.say(forwardFrame(c.t, typeCloseFwd, 2, forwardLocal, "", port, echo))
			c.hear()
			_, err = io.WriteString(conn, "still\n")
			require.NoError(c.t, err)
			require.NoError(c.t, conn.(*net.TCPConn).CloseWrite())
			content, err := io.ReadAll(conn)
			require.NoError(c.t, err)
			c.lines = append(c.lines, string(content))
			c.stillServed()
		})},
	}
}

// listeners are the addresses, as /proc tells them, on which somebody listens at port.
func listeners(t testing.TB, port int) []string {
	t.Helper()
	var found []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if !exists(table) {
			continue
		}
		for line := range strings.SplitSeq(read(t, table), "\n") {
			fields := strings.Fields(line)
			if len(fields) > 3 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) && fields[3] == "0A" {
				found = append(found, strings.Split(fields[1], ":")[0])
			}
		}
	}
	// A table that changes while it is read may show an entry twice.
	slices.Sort(found)
	return slices.Compact(found)
}

func unixEcho(t testing.TB, path string) string {
	t.Helper()
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	serveEcho(t, listener)
	return path
}

func remoteRows() []row {
	return []row{
		{name: "twice, cancel twice", do: greeted(func(c *conversation) {
			port, echo := freePort(c.t), echoServer(c.t)
			address := fmt.Sprintf("127.0.0.1:%d", port)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardRemote, "", port, echo))
			c.hear()
			c.carries("tcp", address)
			c.say(forwardFrame(c.t, typeOpenFwd, 2, forwardRemote, "", port, echo))
			c.hear()
			c.say(forwardFrame(c.t, typeCloseFwd, 3, forwardRemote, "", port, echo))
			c.hear()
			c.stillServed()
			c.say(forwardFrame(c.t, typeCloseFwd, 4, forwardRemote, "", port, echo))
			c.hear()
			c.stillServed()
		})},
		{name: "port 0", do: greeted(func(c *conversation) {
			echo := echoServer(c.t)
			var ports []uint32
			for id := range 2 {
				c.say(forwardFrame(c.t, typeOpenFwd, id, forwardRemote, "", 0, echo))
				f := c.expectKind(c.t, typeRemotePort)
				c.lines = append(c.lines, c.note(f))
				ports = append(ports, f.word(2))
			}
			c.lines = append(c.lines, fmt.Sprint("the same again: ", ports[0] == ports[1]))
			c.lines = append(c.lines, throughChosen(itoa(int(ports[0]))))
			c.say(forwardFrame(c.t, typeCloseFwd, 5, forwardRemote, "", int(ports[0]), echo))
			c.hear()
			c.say(forwardFrame(c.t, typeCloseFwd, 6, forwardRemote, "", 0, echo))
			c.hear()
			c.stillServed()
		})},
		{name: "port in use", do: greeted(func(c *conversation) {
			used := usedPort(c.t)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardRemote, "", used, echoServer(c.t)))
			f := c.expectKind(c.t, typeFailure)
			c.lines = append(c.lines, strings.ReplaceAll(f.text(2), fmt.Sprint(used), "PORT"))
			c.stillServed()
		})},
		{name: "unix socket", do: greeted(func(c *conversation) {
			path := filepath.Join(c.m.Dir, "r1")
			host, port := splitHostPort(c.t, echoServer(c.t))
			c.say(frame(typeOpenFwd, 1, forwardRemote, path, unixSocket, host, port))
			c.hear()
			c.carries("unix", path)
			c.say(frame(typeCloseFwd, 2, forwardRemote, path, unixSocket, host, port))
			c.hear()
			c.stillServed()
		})},
		{name: "unix socket in no folder", do: greeted(func(c *conversation) {
			c.say(frame(typeOpenFwd, 1, forwardRemote, "/none/such/r", unixSocket, "127.0.0.1", 1))
			c.hear()
			c.stillServed()
		})},
		{name: "target refused", do: greeted(func(c *conversation) {
			port := freePort(c.t)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardRemote, "", port, closedPort(c.t)))
			c.hear()
			c.carries("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			c.stillServed()
		})},
		{name: "SOCKS on the far side", do: greeted(func(c *conversation) {
			port := freePort(c.t)
			c.say(frame(typeOpenFwd, 1, forwardRemote, "", port, "socks", 0))
			c.hear()
			c.lines = append(c.lines, socks5(port, echoServer(c.t)))
			c.stillServed()
		})},
		{name: "cancel of what never was", do: greeted(sends(
			frame(typeCloseFwd, 1, forwardRemote, "", 8080, "h", 80),
			frame(typeCloseFwd, 2, forwardLocal, "", 8080, "h", 80),
			frame(typeCloseFwd, 3, forwardDynamic, "", 8080, "socks", 0),
		))},
	}
}

// socks5 connects to target through a SOCKS server at port, by name where the target has one.
func socks5(port int, target string) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "not connected"
	}
	defer conn.Close()
	_ = conn.SetDeadline(soon())
	host, text, _ := net.SplitHostPort(target)
	var n int
	_, _ = fmt.Sscan(text, &n)
	_, _ = conn.Write([]byte{5, 1, 0})
	greeting := make([]byte, 2)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return "no greeting"
	}
	request := append([]byte{5, 1, 0, 3, byte(len(host))}, host...)
	_, _ = conn.Write(append(request, byte(n>>8), byte(n)))
	_, _ = io.WriteString(conn, "through\n")
	return fmt.Sprintf("%x %q", greeting, answered(conn, 10))
}

// answered half-closes conn once a SOCKS answer of that size is there, and returns all that came. Stock drops a
// connection whose end it reads before it has answered, so whether it answers would depend on who is faster.
func answered(conn net.Conn, size int) []byte {
	answer := make([]byte, size)
	if n, err := io.ReadFull(conn, answer); err != nil {
		return answer[:n]
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	rest, _ := io.ReadAll(conn)
	return append(answer, rest...)
}

// socks4 does so in version 4, or 4a when host is a name.
func socks4(port int, host, text string) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "not connected"
	}
	defer conn.Close()
	_ = conn.SetDeadline(soon())
	var n int
	_, _ = fmt.Sscan(text, &n)
	request := []byte{4, 1, byte(n >> 8), byte(n)}
	if ip := net.ParseIP(host).To4(); ip != nil {
		request = append(append(request, ip...), "user\x00"...)
	} else {
		request = append(append(request, 0, 0, 0, 1), "user\x00"+host+"\x00"...)
	}
	_, _ = conn.Write(append(request, "through\n"...))
	return fmt.Sprintf("%q", answered(conn, 8))
}

func dynamicRows() []row {
	through := func(talk func(t testing.TB, port int) string) func(t *testing.T, m *Master) outcome {
		return greeted(func(c *conversation) {
			port := freePort(c.t)
			c.say(frame(typeOpenFwd, 1, forwardDynamic, "", port, "socks", 0))
			c.hear()
			c.lines = append(c.lines, talk(c.t, port))
			c.say(frame(typeCloseFwd, 2, forwardDynamic, "", port, "socks", 0))
			c.hear()
			c.stillServed()
		})
	}
	return []row{
		{name: "SOCKS5", do: through(func(t testing.TB, port int) string { return socks5(port, echoServer(t)) })},
		{name: "SOCKS5 by name", do: through(func(t testing.TB, port int) string {
			return socks5(port, strings.Replace(echoServer(t), "127.0.0.1", "localhost", 1))
		})},
		{name: "SOCKS5 refused", do: through(func(t testing.TB, port int) string { return socks5(port, closedPort(t)) })},
		{name: "SOCKS4", do: through(func(t testing.TB, port int) string {
			host, target, _ := net.SplitHostPort(echoServer(t))
			return socks4(port, host, target)
		})},
		{name: "SOCKS4a", do: through(func(t testing.TB, port int) string {
			_, target, _ := net.SplitHostPort(echoServer(t))
			return socks4(port, "localhost", target)
		})},
		{name: "no SOCKS at all", do: through(func(_ testing.TB, port int) string {
			return exchange("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		})},
	}
}

func invalidForwardRows() []row {
	return []row{
		{name: "listen port 65536", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "", 65536, "h", 80)))},
		{name: "listen port ffffffff", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "", uint32(0xffffffff), "h", 80)))},
		{name: "connect port 70000", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "", 8080, "h", 70000)))},
		{name: "cancel of port 65536", do: greeted(sends(frame(typeCloseFwd, 1, forwardLocal, "", 65536, "h", 80)))},
		{name: "local, connect port 0", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "", 8080, "h", 0)))},
		{name: "local, no connect host", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "", 8080, "", 80)))},
		{name: "remote, no connect host", do: greeted(sends(frame(typeOpenFwd, 1, forwardRemote, "", 8080, "", 80)))},
		{name: "dynamic on a unix socket", do: greeted(sends(frame(typeOpenFwd, 1, forwardDynamic, "/tmp/none", unixSocket, "socks", 0)))},
		{name: "cut short", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "", 8080, "h")))},
		{name: "NUL in a host", do: greeted(sends(frame(typeOpenFwd, 1, forwardLocal, "a\x00b", 8080, "h", 80)))},
	}
}

func forbiddenRows() []row {
	return []row{
		{name: "remote", do: greeted(sends(frame(typeOpenFwd, 1, forwardRemote, "", 8080, "h", 80)))},
		{name: "remote, port 0", do: greeted(sends(frame(typeOpenFwd, 1, forwardRemote, "", 0, "h", 80)))},
		{name: "remote unix", do: greeted(sends(frame(typeOpenFwd, 1, forwardRemote, "/tmp/none", unixSocket, "h", 80)))},
		{name: "local", do: greeted(func(c *conversation) {
			port := freePort(c.t)
			c.say(forwardFrame(c.t, typeOpenFwd, 1, forwardLocal, "", port, echoServer(c.t)))
			c.hear()
			c.carries("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			c.stillServed()
		})},
		{name: "-W", do: func(t *testing.T, m *Master) outcome {
			return of(run(t, Command{Args: m.SSH("-W", echoServer(t), Target)}))
		}},
	}
}

// forwardClientRows use ssh's own words for forwards.
func forwardClientRows() []row {
	with := func(option string, arguments func(port int, echo string) []string) func(t *testing.T, m *Master) outcome {
		return func(t *testing.T, m *Master) outcome {
			port, echo := freePort(t), echoServer(t)
			o := of(run(t, Command{Args: m.SSH(arguments(port, echo)...)}))
			o["through"] = exchange("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			o["cancelled"] = fmt.Sprint(of(run(t, Command{Args: m.SSH("-O", "cancel", option, fmt.Sprintf("%d:%s", port, echo), Target)})))
			o["cancelled again"] = fmt.Sprint(of(run(t, Command{Args: m.SSH("-O", "cancel", option, fmt.Sprintf("%d:%s", port, echo), Target)})))
			return o
		}
	}
	return []row{
		{name: "-O forward -L", do: with("-L", func(port int, echo string) []string {
			return []string{"-O", "forward", "-L", fmt.Sprintf("%d:%s", port, echo), Target}
		})},
		{name: "-O forward -R", do: with("-R", func(port int, echo string) []string {
			return []string{"-O", "forward", "-R", fmt.Sprintf("%d:%s", port, echo), Target}
		})},
		{name: "-L with a session", do: with("-L", func(port int, echo string) []string {
			return []string{"-L", fmt.Sprintf("%d:%s", port, echo), Target, "echo session"}
		})},
		{name: "-R with a session", do: with("-R", func(port int, echo string) []string {
			return []string{"-R", fmt.Sprintf("%d:%s", port, echo), Target, "echo session"}
		})},
		{name: "-O forward -R 0", do: func(t *testing.T, m *Master) outcome {
			r := run(t, Command{Args: m.SSH("-O", "forward", "-R", "0:"+echoServer(t), Target)})
			port := strings.TrimSpace(r.Stdout)
			o := of(r)
			o["stdout"] = strings.ReplaceAll(r.Stdout, port, "PORT")
			o["through"] = throughChosen(port)
			return o
		}},
		{name: "-O forward -L on a port in use", do: func(t *testing.T, m *Master) outcome {
			used := usedPort(t)
			return of(run(t, Command{Args: m.SSH("-O", "forward", "-L", fmt.Sprintf("%d:h:1", used), Target)}))
		}},
		{name: "-O forward -R on a port in use", do: func(t *testing.T, m *Master) outcome {
			used := usedPort(t)
			o := of(run(t, Command{Args: m.SSH("-O", "forward", "-R", fmt.Sprintf("%d:h:1", used), Target)}))
			o["stderr"] = strings.ReplaceAll(o["stderr"], fmt.Sprint(used), "PORT")
			return o
		}},
	}
}
