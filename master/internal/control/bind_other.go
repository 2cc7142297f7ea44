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

// shortName is the full name: there is no shorter one here.
func shortName(folder *os.File, name string) string { return filepath.Join(folder.Name(), name) }

// renameNoReplace is not to be had everywhere; links of sockets are.
func renameNoReplace(int, string, string) error { return unix.ENOTSUP }
