package stdio

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// handle is a descriptor that may be in use when it is closed. Its uses are
// short: close waits for them, so that none of them consumes anything
// afterwards or meets a number that means another file by then.
type handle struct {
	mu sync.RWMutex
	fd int // -1 once closed
}

// use calls f with the descriptor and returns what f returned.
func (h *handle) use(f func(uintptr) bool) (bool, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.fd < 0 {
		return false, os.ErrClosed
	}
	return f(uintptr(h.fd)), nil
}

func (h *handle) control(f func(uintptr)) error {
	_, err := h.use(func(fd uintptr) bool { f(fd); return true })
	return err
}

func (h *handle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	fd := h.fd
	h.fd = -1
	return unix.Close(fd)
}

// plain is a driver for what is always ready: there is nothing to wait for.
type plain struct{ handle }

func newPlain(fd int) *plain { return &plain{handle{fd: fd}} }

func (d *plain) read(try func(uintptr) bool) error  { return d.now(try) }
func (d *plain) write(try func(uintptr) bool) error { return d.now(try) }

// now reports EAGAIN as the error that it is here: the attempt wanted to wait
// for something that cannot be waited for.
func (d *plain) now(try func(uintptr) bool) error {
	done, err := d.use(try)
	if err == nil && !done {
		err = unix.EAGAIN
	}
	return err
}
