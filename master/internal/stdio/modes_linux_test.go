package stdio_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/sshtest"
)

// terminalSettings are put on a terminal before OpenSSH and this package look
// at it.
var terminalSettings = map[string]func(*unix.Termios){
	"as it comes": func(*unix.Termios) {},
	"nothing on": func(m *unix.Termios) {
		m.Iflag, m.Oflag, m.Lflag = 0, 0, 0
		m.Cflag = unix.CS5 | unix.CREAD | unix.B38400
	},
	"everything on": func(m *unix.Termios) {
		m.Iflag |= unix.IGNPAR | unix.PARMRK | unix.INPCK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL |
			unix.IUCLC | unix.IXON | unix.IXANY | unix.IXOFF | unix.IMAXBEL | unix.IUTF8
		m.Oflag |= unix.OPOST | unix.OLCUC | unix.ONLCR | unix.OCRNL | unix.ONOCR | unix.ONLRET
		m.Lflag |= unix.ISIG | unix.ICANON | unix.XCASE | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL |
			unix.NOFLSH | unix.TOSTOP | unix.IEXTEN | unix.ECHOCTL | unix.ECHOKE
		m.Cflag |= unix.PARENB | unix.PARODD
	},
	"seven bits": func(m *unix.Termios) {
		m.Cflag = m.Cflag&^unix.CSIZE | unix.CS7 | unix.PARENB
	},
	"six bits": func(m *unix.Termios) {
		m.Cflag = m.Cflag&^unix.CSIZE | unix.CS6
	},
	"characters": func(m *unix.Termios) {
		m.Cc[unix.VINTR] = 7
		m.Cc[unix.VERASE] = 8
		m.Cc[unix.VSUSP] = 0 // disabled
		m.Cc[unix.VEOL] = 254
		m.Cc[unix.VEOL2] = 255
	},
	"hung up": func(m *unix.Termios) { m.Cflag &^= unix.CBAUD },
	"slow":    func(m *unix.Termios) { m.Cflag = m.Cflag&^unix.CBAUD | unix.B134 },
	"fast":    func(m *unix.Termios) { m.Cflag = m.Cflag&^unix.CBAUD | unix.B230400 },
	"too fast for ssh": func(m *unix.Termios) {
		m.Cflag = m.Cflag&^unix.CBAUD | unix.B4000000
	},
}

// TestModesAsOpenSSH compares, byte for byte, with the pty-req of a real ssh on
// the same terminal.
func TestModesAsOpenSSH(t *testing.T) {
	sshtest.Program(t, "ssh")
	for name, set := range terminalSettings {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			_, shell := openPTY(t)
			modes, err := unix.IoctlGetTermios(shell.fd, unix.TCGETS)
			require.NoError(t, err)
			set(modes)
			require.NoError(t, unix.IoctlSetTermios(shell.fd, unix.TCSETS, modes))
			require.NoError(t, unix.IoctlSetWinsize(shell.fd, unix.TIOCSWINSZ,
				&unix.Winsize{Col: 101, Row: 37, Xpixel: 1010, Ypixel: 740}))

			s := open(t, dup(t, shell.fd))
			mine, err := s.TerminalModes()
			require.NoError(t, err)
			size, err := s.WindowSize()
			require.NoError(t, err)

			theirs := recordPTYRequest(t, shell)
			require.Equal(t, []byte(theirs.Modes), mine)
			require.Equal(t, []uint32{theirs.Cols, theirs.Rows, theirs.XPixel, theirs.YPixel},
				[]uint32{size.Cols, size.Rows, size.XPixel, size.YPixel})
		})
	}
}

// ptyRequest is the payload of pty-req (RFC 4254 section 6.2).
type ptyRequest struct {
	Term   string
	Cols   uint32
	Rows   uint32
	XPixel uint32
	YPixel uint32
	Modes  string
}

// recordPTYRequest runs "ssh -tt" on the terminal against a server that notes
// its pty-req and hangs up.
func recordPTYRequest(t *testing.T, shell *end) ptyRequest {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)

	tty := os.NewFile(uintptr(dup(t, shell.fd)), "tty")
	defer tty.Close()
	cmd := exec.Command("ssh", "-tt", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "GlobalKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=none", "-o", "IdentityAgent=none",
		"-p", port, "someone@127.0.0.1", "true")
	cmd.Stdin, cmd.Stdout = tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	defer cmd.Wait()

	conn, err := listener.Accept()
	require.NoError(t, err)
	defer conn.Close()
	return serveUntilPTYRequest(t, conn)
}

func serveUntilPTYRequest(t *testing.T, conn net.Conn) (request ptyRequest) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	server, channels, global, err := ssh.NewServerConn(conn, config)
	require.NoError(t, err)
	defer server.Wait()
	defer server.Close()
	go ssh.DiscardRequests(global)
	channel, requests, err := (<-channels).Accept()
	require.NoError(t, err)
	defer channel.Close()
	for r := range requests {
		if r.Type == "pty-req" {
			require.NoError(t, ssh.Unmarshal(r.Payload, &request))
			return request
		}
	}
	t.Fatal("no pty-req")
	return request
}
