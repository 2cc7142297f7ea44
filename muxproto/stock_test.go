package muxproto_test

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// TestStockMaster uses every method of the Client on OpenSSH's own master.
func TestStockMaster(t *testing.T) {
	site := newSite(t)
	socket := site.master(t, "ctl", "-M")
	for _, c := range []struct {
		name string
		test func(*testing.T, *muxproto.Client)
	}{
		{"alive", stockAlive},
		{"command", stockCommand},
		{"shell by stdin", stockShell},
		{"environment", stockEnvironment},
		{"subsystem", stockSubsystem},
		{"terminal", stockTerminal},
		{"close ends the session", stockClose},
		{"stdio forward", stockStdioForward},
		{"forwards", stockForwards},
		{"info", stockInfo},
		{"proxy", stockProxy},
		// This one takes the master away.
		{"stop", stockStop},
	} {
		t.Run(c.name, func(t *testing.T) { noLeak(t, func() { withStock(t, socket, c.test) }) })
	}
	_, err := muxproto.Dial(within(t), socket)
	require.Error(t, err, "stopped")
}

func withStock(t *testing.T, socket string, test func(*testing.T, *muxproto.Client)) {
	c, err := muxproto.Dial(within(t), socket)
	require.NoError(t, err)
	test(t, c)
	require.NoError(t, c.Close())
}

// run runs a session with a string for standard input, and returns its output.
func run(t *testing.T, c *muxproto.Client, req muxproto.NewSession, stdin string) (stdout, stderr string, exit muxproto.Exit) {
	t.Helper()
	in, out, errs := tempFile(t, stdin), tempFile(t, ""), tempFile(t, "")
	req.EscapeChar = muxproto.NoEscape
	s, err := c.NewSession(within(t), req, int(in.Fd()), int(out.Fd()), int(errs.Fd()))
	require.NoError(t, err)
	exit, err = s.Wait(within(t))
	require.NoError(t, err)
	text := func(f *os.File) string {
		content, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.NoError(t, f.Close())
		return string(content)
	}
	require.NoError(t, in.Close())
	return text(out), text(errs), exit
}

func stockAlive(t *testing.T, c *muxproto.Client) {
	for range 3 {
		pid, err := c.Alive(within(t))
		require.NoError(t, err)
		require.Greater(t, pid, uint32(1))
	}
}

func stockCommand(t *testing.T, c *muxproto.Client) {
	out, errs, exit := run(t, c, muxproto.NewSession{Command: "cat; echo oops >&2; exit 42"}, "hello\n")
	require.Equal(t, "hello\n", out)
	require.Equal(t, "oops\n", errs)
	require.Equal(t, muxproto.Exit{Status: 42, Known: true}, exit)
}

func stockShell(t *testing.T, c *muxproto.Client) {
	out, _, exit := run(t, c, muxproto.NewSession{}, "echo by stdin\nexit 3\n")
	require.Contains(t, out, "by stdin\n")
	require.Equal(t, muxproto.Exit{Status: 3, Known: true}, exit)
}

func stockEnvironment(t *testing.T, c *muxproto.Client) {
	out, _, _ := run(t, c, muxproto.NewSession{Command: "echo ${CT_X-unset}", Env: []string{"CT_X=1"}}, "")
	require.Equal(t, "unset\n", out, "this master has no SendEnv")
}

func stockSubsystem(t *testing.T, c *muxproto.Client) {
	in, out := socketPair(t)
	fd := int(in.Fd())
	s, err := c.NewSession(within(t), muxproto.NewSession{Command: "sftp", Subsystem: true, EscapeChar: muxproto.NoEscape}, fd, fd, fd)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	// SFTP version 3 greets when greeted: SSH_FXP_INIT, SSH_FXP_VERSION.
	_, err = out.Write([]byte("\x00\x00\x00\x05\x01\x00\x00\x00\x03"))
	require.NoError(t, err)
	greeting := make([]byte, 9)
	_, err = io.ReadFull(out, greeting)
	require.NoError(t, err)
	require.Equal(t, "\x02\x00\x00\x00\x03", string(greeting[4:]))
	require.NoError(t, out.Close())
	exit, err := s.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, muxproto.Exit{Known: true}, exit)
}

func stockTerminal(t *testing.T, c *muxproto.Client) {
	out, _, exit := run(t, c, muxproto.NewSession{Command: "tty; echo $TERM", WantTTY: true, Term: "vt52"}, "")
	require.Contains(t, out, "/dev/")
	require.Contains(t, out, "vt52", "with whatever line ends: there are no terminal modes to pass on")
	require.True(t, exit.Known)
	require.False(t, exit.TTYFailed)
}

func stockClose(t *testing.T, c *muxproto.Client) {
	in, out := socketPair(t)
	s, err := c.NewSession(within(t), muxproto.NewSession{Command: "echo on; cat; echo off", EscapeChar: muxproto.NoEscape},
		int(in.Fd()), int(in.Fd()), int(in.Fd()))
	require.NoError(t, err)
	require.NoError(t, in.Close())
	on := make([]byte, 3)
	_, err = io.ReadFull(out, on)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = io.ReadAll(out)
	require.NoError(t, err, "the master closed its descriptors")
	require.NoError(t, out.Close())
}

// socketPair is one end as a file, to be lent, and the other to talk to it.
func socketPair(t *testing.T) (*os.File, *net.UnixConn) {
	a, b := pair(t, syscall.SOCK_STREAM)
	f, err := a.File()
	require.NoError(t, err)
	require.NoError(t, a.Close())
	require.NoError(t, b.SetDeadline(time.Now().Add(patience)))
	return f, b
}

// echo serves one connection on the loopback interface.
func echo(t *testing.T) (port uint32, done <-chan error) {
	l, port := listen(t)
	result := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			// Without splice(2), whose pipes the runtime keeps for a while.
			_, err = io.Copy(struct{ io.Writer }{conn}, conn)
			_ = conn.Close()
		}
		_ = l.Close()
		result <- err
	}()
	return port, result
}

func stockStdioForward(t *testing.T, c *muxproto.Client) {
	port, echoed := echo(t)
	in, out := socketPair(t)
	s, err := c.StdioForward(within(t), "127.0.0.1", port, int(in.Fd()), int(in.Fd()))
	require.NoError(t, err)
	require.NoError(t, in.Close())
	_, err = out.Write([]byte("there and back"))
	require.NoError(t, err)
	require.NoError(t, out.CloseWrite())
	got, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, "there and back", string(got))
	exit, err := s.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, muxproto.Exit{}, exit)
	require.NoError(t, <-echoed)
	require.NoError(t, out.Close())
}

func stockForwards(t *testing.T, c *muxproto.Client) {
	target, echoed := echo(t)
	f := local("127.0.0.1", closedPort(t), "127.0.0.1", target)
	port, err := c.OpenForward(within(t), f)
	require.NoError(t, err)
	require.Zero(t, port)
	through(t, f.ListenPort)
	require.NoError(t, <-echoed)
	require.NoError(t, c.CloseForward(within(t), f))
	require.Equal(t, &muxproto.ReplyError{Op: "close forward", Reason: "port not forwarded"}, c.CloseForward(within(t), f))

	target, echoed = echo(t)
	r := remote("127.0.0.1", 0, "127.0.0.1", target)
	port, err = c.OpenForward(within(t), r)
	require.NoError(t, err)
	require.NotZero(t, port)
	through(t, port)
	require.NoError(t, <-echoed)
	require.NoError(t, c.CloseForward(within(t), r))

	l, taken := listen(t)
	defer l.Close()
	_, err = c.OpenForward(within(t), local("127.0.0.1", taken, "h", 1))
	require.Equal(t, &muxproto.ReplyError{Op: "open forward", Reason: "Port forwarding failed"}, err)
}

// through requires an echo behind a port.
func through(t *testing.T, port uint32) {
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = conn.Write([]byte("echo"))
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "echo", string(got))
}

// stockInfo: OpenSSH offers it since 10.3.
func stockInfo(t *testing.T, c *muxproto.Client) {
	text, err := c.Info(within(t), muxproto.InfoConnection)
	if _, offered := c.Extension("info"); !offered {
		require.ErrorIs(t, err, muxproto.ErrNoInfo)
		return
	}
	require.NoError(t, err)
	require.Contains(t, text, "kexalgorithm")
}

// stockProxy runs `exit 5` over SSH packets (RFC 4254 sections 5 and 6).
func stockProxy(t *testing.T, c *muxproto.Client) {
	p, err := c.Proxy(within(t))
	require.NoError(t, err)
	require.NoError(t, p.SetDeadline(time.Now().Add(patience)))
	require.NoError(t, p.WritePacket([]byte("\x5a\x00\x00\x00\x07session"), []byte("\x00\x00\x00\x02\x00\x20\x00\x00\x00\x00\x80\x00")))
	confirmed, err := p.ReadPacket(nil)
	require.NoError(t, err)
	require.Equal(t, byte(91), confirmed[0])
	theirs := confirmed[5:9]
	require.NoError(t, p.WritePacket([]byte{98}, theirs, []byte("\x00\x00\x00\x04exec\x01"), []byte("\x00\x00\x00\x06exit 5")))
	var types []byte
	var requests []string
	for {
		packet, err := p.ReadPacket(nil)
		require.NoError(t, err)
		types = append(types, packet[0])
		if packet[0] == 98 {
			requests = append(requests, string(packet[5:]))
		}
		if packet[0] == 97 {
			break
		}
	}
	require.Contains(t, types, byte(99), "exec succeeded")
	require.Contains(t, requests, "\x00\x00\x00\x0bexit-status\x00\x00\x00\x00\x05")
	require.NoError(t, p.WritePacket([]byte{97}, theirs))
	require.NoError(t, p.Close())
}

func stockStop(t *testing.T, c *muxproto.Client) {
	require.NoError(t, c.StopListening(within(t)))
}

// TestStockTerminate: that master may answer, or end first.
func TestStockTerminate(t *testing.T) {
	t.Parallel()
	socket := newSite(t).master(t, "ctl", "-M")
	withStock(t, socket, func(t *testing.T, c *muxproto.Client) { require.NoError(t, c.Terminate(within(t))) })
	require.Eventually(t, func() bool {
		_, err := os.Lstat(socket)
		return os.IsNotExist(err)
	}, patience, time.Millisecond)
}
