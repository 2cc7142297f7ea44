package stdio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file do not wait, and so are made without telling Go's
// scheduler: see upstream's quick connections. What may wait is not among them,
// not even a read that does not block from a pipe: the kernel keeps its lock while
// the other end's memory is paged in.

// look asks what fd is. It does not go over the network for a file that lies
// there.
func look(fd int) (mode uint32, device uint64, err error) {
	var st unix.Statx_t
	empty := [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, uintptr(unsafe.Pointer(&st)), 0)
	switch errno {
	case 0:
		return uint32(st.Mode), unix.Mkdev(st.Rdev_major, st.Rdev_minor), nil
	case unix.EBADF:
		return 0, 0, errno
	}
	return lookSlowly(fd) // a kernel, or a sandbox, without statx
}

// closeQuick closes a device that has nothing to finish.
func closeQuick(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
