//go:build unix && !linux

package control

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

// newSocket does not block, as the Go poller wants it.
func newSocket() (int, error) {
	return private(func() (int, error) { return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0) })
}

// private makes a descriptor that does not block and that no program inherits.
func private(open func() (int, error)) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := open()
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bindPrivate binds fd to address, which is temporary in the folder, with mode
// 0600. Between the two steps nobody can connect, because it does not listen
// yet, and what somebody may have put in its place meanwhile is not followed.
func bindPrivate(fd int, folder *os.File, address, temporary string) error {
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		return err
	}
	err := unix.Fchmodat(folderFD(folder), temporary, 0o600, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		removeAt(folder, temporary)
	}
	return err
}

// shortName is the full name: there is no shorter one here.
func shortName(folder *os.File, name string) string { return filepath.Join(folder.Name(), name) }

// renameNoReplace is not to be had everywhere; links of sockets are.
func renameNoReplace(int, string, string) error { return unix.ENOTSUP }

// acceptNow accepts who has connected and not left again.
func acceptNow(ln int) (int, error) {
	return private(func() (int, error) {
		for {
			fd, _, err := unix.Accept(ln)
			if err != unix.EINTR && err != unix.ECONNABORTED {
				return fd, err
			}
		}
	})
}
