//go:build unix && !linux

package control

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

const folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC

func newSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
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
