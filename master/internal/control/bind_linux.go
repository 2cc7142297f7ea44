package control

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const folderFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

func newSocket() (int, error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}

// shortName names a file of the folder in few bytes, however deep the folder
// is: the kernel bounds the length of a socket's address, not of its path.
func shortName(folder *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", folderFD(folder), name)
}

func renameNoReplace(fd int, from, to string) error {
	return unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
}
