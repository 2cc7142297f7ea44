package stdio_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() { helpers["devtty"] = helperDevTTY }

// helperDevTTY opens /dev/tty in a session of its own, passes it over the
// socket that is descriptor 3, and stays until that socket ends.
func helperDevTTY() {
	tty, err := unix.Open("/dev/tty", unix.O_RDWR, 0)
	if err != nil {
		os.Exit(1)
	}
	if unix.Sendmsg(3, []byte{0}, unix.UnixRights(tty), nil, 0) != nil {
		os.Exit(2)
	}
	unix.Close(tty)
	io.Copy(io.Discard, os.NewFile(3, "socket"))
	os.Exit(0)
}

// TestDevTTY passes a descriptor that was opened as /dev/tty, as in
// "ssh host < /dev/tty". Opened again, that name would be our own terminal.
func TestDevTTY(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	raw(t, shell.fd)
	fd := receiveDevTTY(t, shell)
	s := open(t, fd)
	require.Equal(t, "terminal, watched", s.String())

	person.write(t, "hello")
	buf := make([]byte, 10)
	n, err := s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:n]))
	_, err = s.WriteString("answer")
	require.NoError(t, err)
	requireBytes(t, person.fd, "answer")
}

// receiveDevTTY starts the helper on the terminal, and gets its /dev/tty.
func receiveDevTTY(t *testing.T, shell *end) int {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	file := os.NewFile(uintptr(pair[0]), "ours")
	ours, err := net.FileConn(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	tty := os.NewFile(uintptr(dup(t, shell.fd)), "tty")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STDIO_TEST_HELPER=devtty")
	cmd.Stdin, cmd.ExtraFiles = tty, []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	tty.Close()
	theirs.Close()
	t.Cleanup(func() {
		ours.Close()
		cmd.Wait()
	})

	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := ours.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	require.NoError(t, err)
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	require.NoError(t, err)
	require.Len(t, messages, 1)
	fds, err := unix.ParseUnixRights(&messages[0])
	require.NoError(t, err)
	require.Len(t, fds, 1)
	unix.CloseOnExec(fds[0])
	return fds[0]
}
