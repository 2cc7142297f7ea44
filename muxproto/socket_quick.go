//go:build linux && !386 && !s390x && !race

package muxproto

import (
	"syscall"
	"unsafe"
)

// quick says that the kernel has a system call of its own for each thing.
const quick = true

// read makes one call, for descriptors too if there is room for them.
func (t *transfer) read(fd uintptr) bool {
	for {
		var n uintptr
		if t.control == nil {
			n, _, t.errno = syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(len(t.p)))
		} else {
			part := vector(t.p)
			m := syscall.Msghdr{Iov: &part, Iovlen: 1, Control: unsafe.SliceData(t.control)}
			m.SetControllen(len(t.control))
			n, _, t.errno = syscall.RawSyscall(syscall.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m)), syscall.MSG_CMSG_CLOEXEC)
			t.ncontrol, t.flags = int(m.Controllen), int(m.Flags)
		}
		if t.errno != syscall.EINTR {
			return t.called(int(n))
		}
	}
}

// mostVectors is how many buffers one call takes (IOV_MAX).
const mostVectors = 1024

// write makes calls until all is written.
func (t *transfer) write(fd uintptr) bool {
	for rest := t.vectors; len(rest) > 0; t.vectors = rest {
		some := rest[:min(len(rest), mostVectors)]
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(some))), uintptr(len(some)))
		if t.errno = errno; errno == syscall.EINTR {
			continue
		}
		if !t.called(int(n)) {
			return false
		}
		if t.errno != 0 {
			return true
		}
		rest = after(rest, int(n))
	}
	return true
}

// after takes n bytes away from vectors. Nothing is left to point behind the end of a
// buffer, where another one may be.
func after(vectors []syscall.Iovec, n int) []syscall.Iovec {
	for len(vectors) > 0 && n >= int(vectors[0].Len) {
		n -= int(vectors[0].Len)
		vectors[0] = syscall.Iovec{}
		vectors = vectors[1:]
	}
	if n > 0 {
		v := &vectors[0]
		left := int(v.Len) - n
		v.Base = unsafe.SliceData(unsafe.Slice(v.Base, int(v.Len))[n:])
		v.SetLen(left)
	}
	return vectors
}

// shutdown is shutdown(2), for both directions.
func shutdown(fd uintptr) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, syscall.SHUT_RDWR, 0)
}

// called notes what one call did; false asks for a wait.
func (t *transfer) called(n int) bool {
	switch t.errno {
	case syscall.EAGAIN:
		t.errno = 0
		return false
	case 0:
		t.n += n
	}
	return true
}
