package compat

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Another user is turned away without a word, even where the file's mode lets them connect. Root is let in: these tests
// run as root, or not at all.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		require.NoError(t, os.Chmod(m.Dir, 0o755))
		require.NoError(t, os.Chmod(m.Control, 0o666))
		got := make(chan error, 1)
		go func() { got <- greetAs(65534, m.Control) }()
		require.ErrorIs(t, <-got, errTurnedAway)
		require.Equal(t, 0, m.Ask(t, "check").Code)
	})
}

var errTurnedAway = errors.New("closed without a word")

// greetAs connects as that user and reads. A user id belongs to a thread, as the kernel sees it; this one is not used
// again, because it is never unlocked.
func greetAs(uid uintptr, path string) error {
	runtime.LockOSThread()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return errno
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 20})
	n, err := syscall.Read(fd, make([]byte, 100))
	if err == syscall.ECONNRESET || err == nil && n == 0 {
		return errTurnedAway
	}
	return err
}
