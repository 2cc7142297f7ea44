//go:build unix && !linux

package forward

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnixPath is the room in sockaddr_un, less the zero byte at the end.
const maxUnixPath = 103

func newUnixSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, unix.SetNonblock(fd, true)
}

// shortAddress refuses: there is no shorter name for a file here.
func shortAddress(string) (string, func(), error) { return "", nil, errTooLong }
