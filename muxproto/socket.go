package muxproto

import (
	"io"
	"net"
	"os"
	"syscall"
)

// A socket makes the calls on a unix socket without telling Go's scheduler, where
// the system allows that. Package net announces each call, in case it takes long:
// that wakes the runtime's monitor thread whenever the process had been idle. On a
// socket that does not block it is of no use, and took more of the processor than
// all calls of a short session do.
//
// One goroutine reads and one writes.
type socket struct {
	*net.UnixConn
	raw syscall.RawConn
	in  transfer
	out transfer
}

// A transfer is one call under way: its buffers, and what came of it. Its function
// is made once, so that a call allocates nothing.
type transfer struct {
	try func(fd uintptr) bool // false asks for a wait

	p               []byte
	control         []byte // for descriptors; nil for none
	n               int    // of p
	ncontrol, flags int
	errno           syscall.Errno
}

func newSocket(sock *net.UnixConn) *socket {
	s := &socket{UnixConn: sock}
	if raw, err := sock.SyscallConn(); err == nil && quick {
		s.raw = raw
		s.in.try, s.out.try = s.in.read, s.out.write
	}
	return s
}

// Read reads what is there.
func (s *socket) Read(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return s.UnixConn.Read(p)
	}
	return s.receive(p, nil)
}

// Write writes all of p.
func (s *socket) Write(p []byte) (int, error) {
	if s.raw == nil {
		return s.UnixConn.Write(p)
	}
	w := &s.out
	w.p, w.n, w.errno = p, 0, 0
	err := s.raw.Write(w.try)
	w.p = nil
	return w.n, s.fault("write", err, w.errno)
}

// readDescriptors reads what is there and the control message beside it.
func (s *socket) readDescriptors(p, control []byte) (ncontrol, flags int, err error) {
	if s.raw == nil {
		_, ncontrol, flags, _, err = s.ReadMsgUnix(p, control)
		return ncontrol, flags, err
	}
	_, err = s.receive(p, control)
	return s.in.ncontrol, s.in.flags, err
}

func (s *socket) receive(p, control []byte) (int, error) {
	r := &s.in
	r.p, r.control, r.n, r.errno = p, control, 0, 0
	err := s.raw.Read(r.try)
	r.p, r.control = nil, nil
	err = s.fault("read", err, r.errno)
	if err == nil && r.n == 0 {
		err = io.EOF
	}
	return r.n, err
}

// fault is the error as package net words it: of the wait, or of the call.
func (s *socket) fault(op string, err error, errno syscall.Errno) error {
	if errno != 0 {
		err = os.NewSyscallError(op, errno)
	} else if wait, ok := err.(*net.OpError); ok {
		err = wait.Err
	}
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: "unix", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
}
