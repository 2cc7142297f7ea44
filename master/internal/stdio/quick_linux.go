package stdio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file do not wait, and so are made without telling Go's
// scheduler: see upstream's quick connections. What may wait is not among them,
// not even a read that does not block from a pipe: the kernel keeps its lock while
// the other end's memory is paged in, and the whole master would stand still.
//
// On a local socket only another reader of the same end keeps a lock like that. One
// that a process of this user has made is read quickly: whoever else reads from it
// has been given it by this user.

// look asks what fd is. It does not go over the network for a file that lies
// there.
func look(fd int) (status, error) {
	var st unix.Statx_t
	empty := [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_UID, uintptr(unsafe.Pointer(&st)), 0)
	switch errno {
	case 0:
		return status{mode: uint32(st.Mode), uid: st.Uid, device: unix.Mkdev(st.Rdev_major, st.Rdev_minor)}, nil
	case unix.EBADF:
		return status{}, errno
	}
	return lookSlowly(fd) // a kernel, or a sandbox, without statx
}

// isLocal says whether the socket fd is of the family AF_UNIX.
func isLocal(fd int) bool {
	var family int32
	size := uint32(unsafe.Sizeof(family))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_DOMAIN,
		uintptr(unsafe.Pointer(&family)), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0 && family == unix.AF_UNIX
}

// recvQuick is recvNowait. What rsync sends comes in hundreds of small pieces, and
// before each of them the master was idle: announced, they wake the monitor thread
// as often, which takes a third of the master's processor time.
func recvQuick(fd int, p []byte) (int, error) {
	return transfer(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

// sendQuick sends without waiting.
func sendQuick(fd int, p []byte) (int, error) {
	return transfer(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func transfer(call uintptr, fd int, p []byte, flags uintptr) (int, error) {
	n, _, errno := unix.RawSyscall6(call, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// closeQuick closes a device that has nothing to finish.
func closeQuick(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
