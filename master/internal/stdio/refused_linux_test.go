package stdio_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// TestExclusiveTerminal cannot be opened again: EBUSY.
func TestExclusiveTerminal(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	raw(t, shell.fd)
	require.NoError(t, unix.IoctlSetInt(shell.fd, unix.TIOCEXCL, 0))
	fd := dup(t, shell.fd)
	var s *stdio.Stream
	unprivileged(t, func() { s = open(t, fd) })
	require.Equal(t, "terminal, watched", s.String())
	person.write(t, "hello")
	buf := make([]byte, 10)
	n, err := s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:n]))
}

// TestTerminalMaster passes the other side of a terminal. Opened again, it
// would be the master of a new one.
func TestTerminalMaster(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	raw(t, shell.fd)
	s := open(t, dup(t, person.fd))
	require.Equal(t, "terminal, watched", s.String())
	shell.write(t, "hello")
	buf := make([]byte, 10)
	n, err := s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:n]))
}

// TestWithoutProc opens in a root directory that has no /proc.
func TestWithoutProc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root") // a user's own, in a user namespace, needs a process of one thread, which Go's never is
	}
	noLeak(t)
	near, far := pipePair(t, false)
	fd, root := dup(t, near.fd), t.TempDir()
	opened := make(chan *stdio.Stream)
	go func() {
		defer close(opened)
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if unix.Unshare(unix.CLONE_FS) != nil || unix.Chroot(root) != nil {
			return
		}
		if s, err := stdio.Open(fd); err == nil {
			opened <- s
		}
	}()
	s := <-opened
	require.NotNil(t, s)
	defer s.Close()
	require.Equal(t, "pipe, watched", s.String())
	far.write(t, "hello")
	buf := make([]byte, 10)
	n, err := s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:n]))
}

// TestFifoWithoutReader cannot be opened again for writing: ENXIO.
func TestFifoWithoutReader(t *testing.T) {
	noLeak(t)
	near, far := fifoPair(t, true)
	far.close()
	s := open(t, dup(t, near.fd))
	require.Equal(t, "pipe, watched", s.String())
	_, err := s.WriteString("x")
	require.ErrorIs(t, err, unix.EPIPE)
}

// TestOtherDevice is something to wait for that has no case of its own.
func TestOtherDevice(t *testing.T) {
	noLeak(t)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	event := newEnd(t, fd)
	s := open(t, dup(t, fd))
	require.Equal(t, "device, watched", s.String())
	result := make(chan error, 1)
	go func() {
		_, err := s.Read(make([]byte, 8))
		result <- err
	}()
	awaitReader(t)
	event.write(t, "\x01\x00\x00\x00\x00\x00\x00\x00")
	require.NoError(t, <-result)
}

// TestStuck leaves a write behind: the terminal looks ready, and then has no
// room for the end of the line.
func TestStuck(t *testing.T) {
	for size := range 20 {
		if leaveBehind(t, unix.OPOST|unix.ONLCR, strings.Repeat("x", 5*size*size)+"\n") {
			return
		}
	}
	t.Fatal("the terminal had room for everything that was written, or for nothing")
}

// TestNotStuck writes to a raw terminal until it is full. Nothing is left
// behind.
func TestNotStuck(t *testing.T) {
	for size := range 20 {
		require.False(t, leaveBehind(t, 0, strings.Repeat("x", 1+10*size*size)), size)
	}
}

// leaveBehind writes text until the terminal is full, closes, and reports
// whether a write was left behind.
func leaveBehind(t *testing.T, processing uint32, text string) bool {
	noLeak(t)
	person, shell := openPTY(t)
	raw(t, shell.fd)
	modes, err := unix.IoctlGetTermios(shell.fd, unix.TCGETS)
	require.NoError(t, err)
	modes.Oflag |= processing
	require.NoError(t, unix.IoctlSetTermios(shell.fd, unix.TCSETS, modes))
	s := openForbidden(t, dup(t, shell.fd))
	result := fill(t, passed{stream: s, near: shell, far: person}, text)
	require.False(t, s.Stuck(), "not before Close")
	require.NoError(t, s.Close())
	require.Equal(t, os.ErrClosed, <-result)
	stuck := !soon(100*time.Millisecond, func() bool { return !s.Stuck() })
	drain(t, s, person)
	return stuck
}
