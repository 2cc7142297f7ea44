//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package stdio

import "golang.org/x/sys/unix"

// Sockets aside, there is no call here that does not wait on a blocking
// description.

func readNowait(int, []byte) (int, error)  { return -1, unix.ENOTSUP }
func writeNowait(int, []byte) (int, error) { return -1, unix.ENOTSUP }

func recvNowait(fd int, p []byte) (int, error) {
	n, _, err := unix.Recvfrom(fd, p, unix.MSG_DONTWAIT)
	return n, err
}
