package muxproto

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A socket makes the calls on a unix socket without telling Go's scheduler, where
// the system allows that. Package net announces each call, in case it takes long:
// that wakes the runtime's monitor thread whenever the process had been idle. On a
// socket that does not block it is of no use, and took more of the processor than
// all calls of a short session do.
//
// One goroutine reads and one writes.
type socket struct {
	connection
	raw syscall.RawConn // nil for calls of package net's
	in  transfer
	out transfer
}

// A connection is a *net.UnixConn or, where calls are quick, an *os.File.
type connection interface {
	io.ReadWriteCloser
	syscall.Conn
	SetDeadline(t time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// A transfer is one call under way: its buffers, and what came of it. Its function
// is made once, so that a call allocates nothing.
type transfer struct {
	try func(fd uintptr) bool // false asks for a wait

	p               []byte          // to read into
	control         []byte          // for descriptors; nil for none
	vectors         []syscall.Iovec // to write
	n               int             // bytes so far
	ncontrol, flags int
	errno           syscall.Errno
}

func newSocket(sock connection) *socket {
	s := &socket{connection: sock}
	if raw, err := sock.SyscallConn(); err == nil && quick {
		s.raw = raw
		s.in.try, s.out.try = s.in.read, s.out.write
	}
	return s
}

// Read reads what is there.
func (s *socket) Read(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return s.connection.Read(p)
	}
	return s.receive(p, nil)
}

// Write writes all of p.
func (s *socket) Write(p []byte) (int, error) {
	if s.raw == nil {
		return s.connection.Write(p)
	}
	return s.send(append(s.out.vectors[:0], vector(p)))
}

// WriteBuffers writes all of bufs, which stay as they are.
func (s *socket) WriteBuffers(bufs [][]byte) (int, error) {
	if s.raw == nil {
		return s.writeBuffers(bufs)
	}
	return s.send(vectors(s.out.vectors[:0], bufs))
}

// send writes all, which lies in the memory that is kept for it.
func (s *socket) send(all []syscall.Iovec) (int, error) {
	w := &s.out
	w.vectors, w.n, w.errno = all, 0, 0
	err := s.raw.Write(w.try)
	clear(all)
	w.vectors = all[:0]
	return w.n, s.fault("write", err, w.errno)
}

// writeBuffers has package net do it, which takes away from a list of its own.
func (s *socket) writeBuffers(bufs [][]byte) (int, error) {
	rest := append(net.Buffers(nil), bufs...)
	n, err := rest.WriteTo(s.connection)
	return int(n), err
}

// vectors appends what writev(2) wants to know of bufs.
func vectors(to []syscall.Iovec, bufs [][]byte) []syscall.Iovec {
	for _, p := range bufs {
		if len(p) > 0 {
			to = append(to, vector(p))
		}
	}
	return to
}

func vector(p []byte) syscall.Iovec {
	v := syscall.Iovec{Base: unsafe.SliceData(p)}
	v.SetLen(len(p))
	return v
}

// readDescriptors reads what is there and the control message beside it.
func (s *socket) readDescriptors(p, control []byte) (ncontrol, flags int, err error) {
	if s.raw == nil {
		_, ncontrol, flags, _, err = s.connection.(*net.UnixConn).ReadMsgUnix(p, control)
		return ncontrol, flags, err
	}
	_, err = s.receive(p, control)
	return s.in.ncontrol, s.in.flags, err
}

// writeDescriptor sends one descriptor beside one byte.
func (s *socket) writeDescriptor(fd int) error {
	data, control := []byte{0}, syscall.UnixRights(fd)
	if sock, ok := s.connection.(*net.UnixConn); ok {
		_, _, err := sock.WriteMsgUnix(data, control, nil)
		return err
	}
	var failed error
	err := s.raw.Write(func(to uintptr) bool {
		failed = syscall.Sendmsg(int(to), data, control, nil, 0)
		return failed != syscall.EAGAIN
	})
	if err == nil {
		err = failed
	}
	return err
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
	wait, ok := err.(*net.OpError)
	switch {
	case errno != 0:
		err = os.NewSyscallError(op, errno)
	case err == nil:
		return nil
	case ok:
		err = wait.Err
	case !errors.Is(err, os.ErrDeadlineExceeded): // a file's: what else can end a wait
		err = net.ErrClosed
	}
	fault := &net.OpError{Op: op, Net: "unix", Err: err}
	if sock, ok := s.connection.(*net.UnixConn); ok {
		fault.Source, fault.Addr = sock.LocalAddr(), sock.RemoteAddr()
	}
	return fault
}

// Close closes the socket. When it is closed already the error is net.ErrClosed.
func (s *socket) Close() error {
	err := s.connection.Close()
	if errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	}
	return err
}
