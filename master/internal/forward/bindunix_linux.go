package forward

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxUnixPath is the room in sockaddr_un, less the zero byte at the end.
const maxUnixPath = 107

func newUnixSocket() (int, error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

// shortAddress names a file in few bytes, however deep its folder is: the
// kernel bounds the length of a socket's address, not of its path.
func shortAddress(path string) (address string, release func(), err error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	address = fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path))
	if len(address) > maxUnixPath {
		unix.Close(fd)
		return "", nil, errTooLong
	}
	return address, func() { unix.Close(fd) }, nil
}
