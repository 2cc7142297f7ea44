//go:build !race

package upstream

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A quick connection makes its system calls without telling Go's scheduler.
//
// Package net announces each one, in case it takes long: that wakes the
// runtime's monitor thread whenever the process had been idle, and this thread
// then looks after the system calls every 20 µs, takes the processor away from
// one that takes longer, and starts another thread with it. On a socket that
// does not block none of that is of use. It was a third of the processor time of
// short sessions (thread 2 of the master, and futex(2), in a profile of
// sessions-1).
//
// One goroutine reads and one writes.
type quick struct {
	*net.TCPConn
	raw syscall.RawConn
	in  attempt
	out attempt

	gathers atomic.Bool // see gather
	shared  atomic.Bool // see share
	pushing atomic.Bool // a goroutine is about to push
}

// An attempt is one direction's call: what it is about and what came of it. Its
// function is made once, so that a call allocates nothing.
type attempt struct {
	try   func(fd uintptr) bool
	flags int // of a write; see gather
	parts [2]unix.Iovec
	n     int
	errno syscall.Errno
}

// newQuick is nc, made quick if it can be.
func newQuick(nc net.Conn) net.Conn {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return nc
	}
	q := &quick{TCPConn: tc, raw: raw}
	q.in.try, q.out.try = q.in.read, q.out.write
	q.out.flags = unix.MSG_NOSIGNAL
	return q
}

// NetConn is the connection beneath; see beneath.
func (q *quick) NetConn() net.Conn { return q.TCPConn }

// Read reads what is there.
func (q *quick) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return q.readBoth(p, nil)
}

// readBoth reads what is there into p and, once that is full, into rest.
func (q *quick) readBoth(p, rest []byte) (int, error) {
	n, err := q.in.run("read", q, q.raw.Read, p, rest)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes all of p: a small packet.
func (q *quick) Write(p []byte) (int, error) { return q.write(p, nil, q.shared.Load()) }

// writeBoth writes the two in one call, if the socket's buffer takes them.
func (q *quick) writeBoth(p, rest []byte) (int, error) {
	return q.write(p, rest, len(rest) >= bulkPacket && q.gathers.Load())
}

// write writes the two, or leaves them to the kernel for a moment.
func (q *quick) write(p, rest []byte, gather bool) (int, error) {
	if !gather {
		return q.out.run("write", q, q.raw.Write, p, rest)
	}
	q.out.flags |= unix.MSG_MORE
	n, err := q.out.run("write", q, q.raw.Write, p, rest)
	q.out.flags &^= unix.MSG_MORE
	if q.pushing.CompareAndSwap(false, true) {
		go q.push()
	}
	return n, err
}

// gather says whether packets of bulk are left to the kernel until there are enough
// of them for a segment, or nobody who was about to write one has one any more. One
// TCP segment, one acknowledgement and one waking of the server then are for two of
// them. Anything else that is written takes along what waits.
func (q *quick) gather(on bool) { q.gathers.Store(on) }

// share says the same of small packets. What several channels have to say at once is
// one segment then, and who waits for the host's answer here goes on before the host
// has to do something else.
func (q *quick) share(on bool) { q.shared.Store(on) }

// push sends what waits, once those that can run have had their turn. Should it ever
// fail to, the kernel sends it a moment later (MSG_MORE, as TCP_CORK in tcp(7)).
func (q *quick) push() {
	runtime.Gosched()
	q.pushing.Store(false)
	_ = q.raw.Control(func(fd uintptr) {
		// It is set already. To set it pushes: TCP_NODELAY in tcp(7).
		on := int32(1)
		_, _, _ = syscall.RawSyscall6(unix.SYS_SETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_NODELAY,
			uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
	})
}

// run makes an attempt, and again whenever the socket is ready for another one.
func (a *attempt) run(op string, q *quick, await func(func(uintptr) bool) error, p, rest []byte) (int, error) {
	a.parts = [2]unix.Iovec{part(p), part(rest)}
	a.n, a.errno = 0, 0
	err := await(a.try)
	a.parts = [2]unix.Iovec{}
	switch {
	case err != nil:
		return a.n, &net.OpError{Op: op, Net: "tcp", Source: q.LocalAddr(), Addr: q.RemoteAddr(), Err: reason(err)}
	case a.errno != 0:
		return a.n, &net.OpError{Op: op, Net: "tcp", Source: q.LocalAddr(), Addr: q.RemoteAddr(), Err: os.NewSyscallError(op, a.errno)}
	}
	return a.n, nil
}

// reason is what package net says of a wait that ended without an attempt, less
// its own words about where.
func reason(err error) error {
	if op, ok := err.(*net.OpError); ok {
		return op.Err
	}
	return err
}

func part(p []byte) unix.Iovec {
	v := unix.Iovec{Base: unsafe.SliceData(p)}
	v.SetLen(len(p))
	return v
}

// read reads once; false asks for a wait.
func (a *attempt) read(fd uintptr) bool {
	return a.call(unix.SYS_READV, fd, unsafe.Pointer(&a.parts), len(a.parts))
}

// write writes until everything is written; false asks for a wait.
func (a *attempt) write(fd uintptr) bool {
	message := unix.Msghdr{Iov: &a.parts[0]}
	message.SetIovlen(len(a.parts))
	for a.call(unix.SYS_SENDMSG, fd, unsafe.Pointer(&message), a.flags) {
		if a.errno != 0 || a.parts[0].Len == 0 && a.parts[1].Len == 0 {
			return true
		}
	}
	return false
}

// call makes the system call of that number.
func (a *attempt) call(number, fd uintptr, what unsafe.Pointer, arg int) bool {
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(what), uintptr(arg))
		switch errno {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		case 0:
			a.n += int(n)
			a.advance(int(n))
		}
		a.errno = errno
		return true
	}
}

// advance takes n bytes away from what is left to do. Nothing is left to point
// behind the end of a buffer, where another one may be.
func (a *attempt) advance(n int) {
	for i := range a.parts {
		v := &a.parts[i]
		if n >= int(v.Len) {
			n -= int(v.Len)
			*v = unix.Iovec{}
			continue
		}
		*v = part(unsafe.Slice(v.Base, int(v.Len))[n:])
		n = 0
	}
}
