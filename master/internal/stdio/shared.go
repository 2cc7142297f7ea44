package stdio

import (
	"os"
	"sync"
	"time"
)

// shared is a driver for a description that stays as it is, blocking perhaps,
// because others hold it too. It waits beside the descriptor, not on it.
type shared struct {
	handle
	in  gate
	out gate
}

func newShared(fd int) *shared {
	d := &shared{handle: handle{fd: fd}}
	d.in.open(&d.handle, false)
	d.out.open(&d.handle, true)
	return d
}

func (d *shared) read(try func(uintptr) bool) error  { return d.in.until(try) }
func (d *shared) write(try func(uintptr) bool) error { return d.out.until(try) }

func (d *shared) setReadDeadline(t time.Time) error { return d.in.setDeadline(t) }
func (d *shared) rest()                             { d.in.rest() }

// close lets the waiting calls go before it closes the descriptor: a waiter
// must not outlive what it waits for.
func (d *shared) close() error {
	d.in.close()
	d.out.close()
	return d.handle.close()
}

// waiter waits until a descriptor is ready for one direction.
type waiter interface {
	// until calls retry, again after each wait, until it returns true. Only
	// readiness that comes after a call can wake that call's wait.
	until(retry func(uintptr) bool) error
	// setDeadline has until end with os.ErrDeadlineExceeded at t, unless t is
	// zero. Without an error it will.
	setDeadline(t time.Time) error
	// close ends until with an error.
	close()
}

// gate is one direction of a shared descriptor. Its waiter is made by the
// first attempt that has to wait; most outputs never need one.
type gate struct {
	handle *handle
	output bool
	retry  func(uintptr) bool
	try    func(uintptr) bool // of the one call under way
	err    error              // why try was not called any more

	mu       sync.Mutex
	waiter   waiter
	deadline time.Time // for a waiter that there is not yet
	closed   bool
}

func (g *gate) open(h *handle, output bool) {
	g.handle, g.output = h, output
	g.retry = func(uintptr) bool {
		done, err := h.use(g.try)
		g.err = err
		return done || err != nil
	}
}

func (g *gate) until(try func(uintptr) bool) error {
	w := g.waiter // which nobody else makes meanwhile: there is one call at a time
	if w == nil {
		done, err := g.handle.use(try)
		if done || err != nil {
			return err
		}
		if w, err = g.wait(); err != nil {
			return err
		}
	}
	g.try, g.err = try, nil
	if err := w.until(g.retry); err != nil {
		return err
	}
	return g.err
}

func (g *gate) wait() (waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, os.ErrClosed
	}
	if g.waiter == nil {
		w, err := newWaiter(g.handle, g.output)
		if err != nil {
			return nil, err
		}
		_ = w.setDeadline(g.deadline) // or it waits for longer
		g.waiter = w
	}
	return g.waiter, nil
}

func (g *gate) setDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	if g.waiter == nil {
		return nil
	}
	return g.waiter.setDeadline(t)
}

// rest lets the waiter go, until there is something to wait for again. No call is
// under way.
func (g *gate) rest() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiter != nil && !g.closed {
		g.waiter.close()
		g.waiter = nil
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.waiter != nil {
		g.waiter.close()
	}
}
