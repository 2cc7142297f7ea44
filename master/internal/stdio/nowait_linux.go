package stdio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// readNowait is a read that returns EAGAIN instead of waiting, whatever the
// flags of the description say.
func readNowait(fd int, p []byte) (int, error) {
	return unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}

// writeNowait is the write of the same sort.
func writeNowait(fd int, p []byte) (int, error) {
	return unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
}

// recvNowait receives from a socket without waiting. It does not ask for the
// sender's address, for which unix.Recvfrom allocates memory at each call.
func recvNowait(fd int, p []byte) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
