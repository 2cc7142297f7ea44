package stdio

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Stream is one passed descriptor. One goroutine may read while another
// writes and a third closes. Most are used in one direction alone, so what a
// direction needs is made with its first use.
type Stream struct {
	kind string // "terminal", "pipe", ...: immutable
	how  string // "reopened", "watched", ...: immutable
	tty  bool   // immutable

	driver driver
	mover  mover

	in  atomic.Pointer[input]
	out atomic.Pointer[side]

	closed   atomic.Bool
	once     sync.Once
	closeErr error
}

// driver owns the descriptor and knows how to wait for it. It calls try until
// try returns true, waiting for readiness between the calls.
type driver interface {
	read(try func(fd uintptr) bool) error
	write(try func(fd uintptr) bool) error
	control(f func(fd uintptr)) error
	close() error
}

// mover moves bytes through the descriptor without ever blocking for long.
// EAGAIN asks for a wait.
type mover interface {
	read(fd int, p []byte) (int, error)
	write(fd int, p []byte) (int, error)
	close()
	stuck() bool
}

// side is one direction of a stream. The function handed to the driver is made
// once and takes its arguments from here, so that a call allocates nothing.
type side struct {
	mu  sync.Mutex // held by the one caller, also while it waits
	try func(fd uintptr) bool

	p   []byte // what is left to write, or where to read to
	n   int
	err error

	bulk bool // more came, or was to go, than the pipe holds; see widen
}

// input is what reading takes beside that.
type input struct {
	side
	pool *Pool   // where to take a buffer from, if p is nil
	buf  *Buffer // the buffer taken

	parking parking
}

func (s *Stream) input() *input {
	if d := s.in.Load(); d != nil {
		return d
	}
	s.in.CompareAndSwap(nil, &input{side: side{try: s.tryRead}})
	return s.in.Load()
}

func (s *Stream) output() *side {
	if d := s.out.Load(); d != nil {
		return d
	}
	s.out.CompareAndSwap(nil, &side{try: s.tryWrite})
	return s.out.Load()
}

func newStream(kind, how string, d driver, m mover) *Stream {
	s := new(Stream)
	s.init(kind, how, d, m)
	return s
}

func (s *Stream) init(kind, how string, d driver, m mover) {
	s.kind, s.how, s.tty, s.driver, s.mover = kind, how, kind == kindTerminal, d, m
}

// newPolledStream is a stream and its driver in one piece of memory.
func newPolledStream(kind, how string, fd int, m mover) *Stream {
	both := &struct {
		Stream
		polled
	}{polled: polled{fd: fd}}
	both.init(kind, how, &both.polled, m)
	return &both.Stream
}

// Read reads what is there, waiting until something is. It returns io.EOF at
// the end and os.ErrClosed once the stream was closed.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	d := s.input()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p = p
	err := s.runRead(d)
	d.p = nil
	return d.n, err
}

// ReadPooled is Read into a buffer taken from pool. The buffer is taken when
// bytes are there and not before: a stream that waits holds no memory. The
// caller owns the buffer and gives it back with Release. The buffer is nil
// when the error is not.
func (s *Stream) ReadPooled(pool *Pool) (*Buffer, error) {
	d := s.input()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pool = pool
	err := s.runRead(d)
	buf := d.buf
	d.pool, d.buf = nil, nil
	if err != nil {
		if buf != nil {
			buf.Release()
		}
		return nil, err
	}
	buf.n = d.n
	return buf, nil
}

func (s *Stream) runRead(d *input) error {
	d.n, d.err = 0, nil
	if err := s.driver.read(d.try); err != nil {
		return s.fail("read", err)
	}
	switch {
	case d.err == nil && d.n == 0:
		return io.EOF
	case s.tty && errors.Is(d.err, unix.EIO):
		return io.EOF // the terminal went away
	case d.err != nil:
		return s.fail("read", d.err)
	}
	return nil
}

// tryRead attempts the read first; only EAGAIN leads to a wait. The poller is
// edge-triggered and forgets an edge that came before the attempt.
func (s *Stream) tryRead(fd uintptr) bool {
	d := s.in.Load()
	if s.closed.Load() {
		d.err = os.ErrClosed
		return true
	}
	p := d.p
	if d.pool != nil {
		d.buf = d.pool.take()
		p = d.buf.mem
	}
	n, err := s.mover.read(int(fd), p)
	if err == unix.EAGAIN {
		if d.buf != nil {
			d.buf.Release()
			d.buf = nil
		}
		return false
	}
	d.n, d.err = max(n, 0), err
	if n == len(p) {
		s.isBulk(&d.side, int(fd))
	}
	return true
}

// Write writes all of p, waiting while the other end takes nothing. The error
// is EPIPE when the reader left, and os.ErrClosed once the stream was closed;
// n then says how much was written before.
func (s *Stream) Write(p []byte) (n int, err error) {
	d := s.output()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p, d.n, d.err = p, 0, nil
	err = s.driver.write(d.try)
	d.p = nil
	if err == nil {
		err = d.err
	}
	return d.n, s.fail("write", err)
}

// WriteString is Write for the few messages that a master has for people.
func (s *Stream) WriteString(text string) (int, error) {
	return s.Write([]byte(text))
}

func (s *Stream) tryWrite(fd uintptr) bool {
	d := s.out.Load()
	for len(d.p) > 0 {
		if s.closed.Load() {
			d.err = os.ErrClosed
			return true
		}
		n, err := s.mover.write(int(fd), d.p)
		if n > 0 {
			d.n += n
			d.p = d.p[n:]
		}
		if err == unix.EAGAIN {
			s.isBulk(d, int(fd))
			return false
		}
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			d.err = err
			return true
		}
	}
	return true
}

// isBulk makes a pipe wider once it has kept one direction waiting for want of
// room.
func (s *Stream) isBulk(d *side, fd int) {
	if s.kind == kindPipe && !d.bulk {
		d.bulk = true
		widen(fd)
	}
}

// fail names the operation, except for the errors that callers compare.
func (s *Stream) fail(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case s.closed.Load(), err == os.ErrClosed:
		return os.ErrClosed
	case err == os.ErrDeadlineExceeded:
		return err
	}
	return fmt.Errorf("stdio: %s %s: %w", op, s.kind, err)
}

// Close closes the descriptor. A Read or Write under way returns os.ErrClosed
// at once. When Close has returned nothing more is read from the descriptor
// (doc.go, case 5, has the one exception). Closing again does nothing and
// returns what the first call returned.
func (s *Stream) Close() error {
	s.once.Do(func() {
		s.closed.Store(true)
		s.leavePark()
		s.mover.close() // first: the driver waits for the attempt under way
		if err := s.driver.close(); err != nil {
			s.closeErr = fmt.Errorf("stdio: close %s: %w", s.kind, err)
		}
	})
	return s.closeErr
}

// Stuck reports whether a system call outlived Close. Such a call holds a
// thread and the descriptor until the terminal moves on; it is worth a line in
// the log.
func (s *Stream) Stuck() bool { return s.closed.Load() && s.mover.stuck() }

// Control lends the descriptor to f, for an ioctl that does not block. It
// stays open until f returns. The error is os.ErrClosed after Close.
func (s *Stream) Control(f func(fd int)) error {
	return s.fail("control", s.driver.control(func(fd uintptr) { f(int(fd)) }))
}

// String says what the descriptor is and how it is driven, as in "terminal,
// reopened".
func (s *Stream) String() string { return s.kind + ", " + s.how }
