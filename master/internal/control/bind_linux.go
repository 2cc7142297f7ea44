package control

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const folderFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

// newSocket does not block, as the Go poller wants it.
func newSocket() (int, error) {
	return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

// bindPrivate binds fd to address with mode 0600. A socket takes the mode that
// it has along into the folder: nothing is left to change there, where somebody
// may have put another file in its place.
func bindPrivate(fd int, _ *os.File, address, _ string) error {
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrUnix{Name: address})
}

// shortName names a file of the folder in few bytes, however deep the folder
// is: the kernel bounds the length of a socket's address, not of its path.
func shortName(folder *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", folderFD(folder), name)
}

func renameNoReplace(fd int, from, to string) error {
	return unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
}

// acceptNow accepts who has connected and not left again. The scheduler does not hear of
// the call: see muxproto's sockets.
func acceptNow(ln int) (fd int, err error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(ln), 0, 0, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return -1, errno
		}
	}
}
