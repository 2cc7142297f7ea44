package control

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hungUp asks in a call that does not wait, of which the scheduler does not hear:
// see muxproto's sockets.
func hungUp(fd int) bool {
	p, now := unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}, unix.Timespec{}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n > 0 && p.Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}
