package stdio

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// polled is a driver for a non-blocking descriptor. It enters the Go poller when
// somebody has to wait for it, for the first time: most outputs never come to
// that, and what the poller and its file keep of a descriptor is half a kilobyte.
type polled struct {
	mu    sync.Mutex // held while fd is used, which is short: nothing blocks
	fd    int        // -1 once closed
	file  *os.File   // owns fd, once in the poller
	raw   syscall.RawConn
	until time.Time // the deadline of reads, for a file that there is not yet
}

var errNotPolled = errors.New("the poller does not take it")

func (d *polled) read(try func(uintptr) bool) error {
	raw, err := d.attempt(try)
	if raw == nil {
		return err
	}
	return raw.Read(try)
}

func (d *polled) write(try func(uintptr) bool) error {
	raw, err := d.attempt(try)
	if raw == nil {
		return err
	}
	return raw.Write(try)
}

// attempt calls try once, unless the descriptor is in the poller. The caller is
// to wait there if raw is not nil.
func (d *polled) attempt(try func(uintptr) bool) (raw syscall.RawConn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.fd < 0:
		return nil, os.ErrClosed
	case d.raw != nil:
		return d.raw, nil
	case try(uintptr(d.fd)):
		return nil, nil
	}
	err = d.enter()
	return d.raw, err
}

// enter puts the descriptor into the poller; the lock is held, or nobody has d yet.
func (d *polled) enter() error {
	if d.file == nil {
		if d.file = os.NewFile(uintptr(d.fd), "stdio"); d.file == nil {
			return errNotPolled
		}
	}
	// NewFile does not tell whether the poller took the descriptor. A file
	// outside of it has no deadlines.
	raw, err := d.file.SyscallConn()
	if err != nil || d.file.SetReadDeadline(d.until) != nil {
		return errNotPolled
	}
	d.raw = raw
	return nil
}

func (d *polled) control(f func(uintptr)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return os.ErrClosed
	}
	f(uintptr(d.fd))
	return nil
}

func (d *polled) setReadDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = t
	if d.raw == nil {
		return nil
	}
	return d.file.SetReadDeadline(t)
}

// rest has nothing to let go: what a file is in the poller once, it stays.
func (d *polled) rest() {}

// close wakes those who wait, and returns when the attempts under way are
// over: none of them blocks.
func (d *polled) close() error {
	d.mu.Lock()
	fd, file := d.fd, d.file
	d.fd = -1
	d.mu.Unlock()
	if file != nil {
		return file.Close()
	}
	return unix.Close(fd)
}
