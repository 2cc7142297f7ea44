package stdio

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What one loaned call moves at most.
const (
	// loanSize is PIPE_BUF on Linux: a FIFO that is ready takes that much at
	// once, and whole.
	loanSize = 4096

	// loanTerminal is for output to terminals. A raw pseudo-terminal that
	// looks ready takes this much at once. One that turns newlines into CR LF
	// may run out of room between two lines, and keeps whoever wrote them.
	loanTerminal = 1024
)

// inputGrace is how long close waits for a read on loan: as it was ready to be
// read, it ends at once, unless another program was faster.
const inputGrace = 50 * time.Millisecond

// lender makes calls that may block, one at a time, on a goroutine that its
// caller can walk away from. The goroutine starts with the first call and has
// a duplicate of the descriptor and a buffer of its own, so that a call left
// behind touches nothing that belongs to anybody else.
type lender struct {
	move   func(fd int, p []byte) (int, error)
	output bool
	size   int
	jobs   chan int
	done   chan moved // holds one: the goroutine never waits to report
	quit   chan struct{}
	busy   atomic.Bool

	mu     sync.Mutex
	buf    []byte        // nil until started
	ended  chan struct{} // closed when the goroutine is gone; nil until started
	closed bool
}

type moved struct {
	n   int
	err error
}

func (l *lender) init(move func(int, []byte) (int, error), output bool, size int) {
	l.move, l.output, l.size = move, output, size
	l.jobs, l.done, l.quit = make(chan int), make(chan moved, 1), make(chan struct{})
}

// call moves up to size bytes of p. It returns os.ErrClosed when close
// comes first.
func (l *lender) call(fd int, p []byte) (int, error) {
	if err := l.start(fd); err != nil {
		return 0, err
	}
	p = p[:min(len(p), l.size)]
	if l.output {
		copy(l.buf, p)
	}
	l.busy.Store(true)
	select {
	case l.jobs <- len(p):
	case <-l.quit:
		l.busy.Store(false)
		return 0, os.ErrClosed
	}
	select {
	case m := <-l.done:
		if !l.output {
			copy(p, l.buf[:max(m.n, 0)])
		}
		return m.n, m.err
	case <-l.quit:
		return 0, os.ErrClosed
	}
}

func (l *lender) start(fd int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return os.ErrClosed
	}
	if l.ended != nil {
		return nil
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("duplicate: %w", err)
	}
	l.buf = make([]byte, l.size)
	l.ended = make(chan struct{})
	go l.run(dup)
	return nil
}

func (l *lender) run(fd int) {
	defer close(l.ended)
	defer unix.Close(fd)
	defer l.busy.Store(false) // also of a job that was taken, but not begun before close
	for {
		select {
		case n := <-l.jobs:
			select {
			case <-l.quit:
				return
			default:
			}
			got, err := l.move(fd, l.buf[:n])
			l.busy.Store(false)
			l.done <- moved{got, err}
		case <-l.quit:
			return
		}
	}
}

// close ends the goroutine. It waits for that, but not for a call that is
// stuck.
func (l *lender) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	close(l.quit)
	switch {
	case l.ended == nil:
	case !l.busy.Load():
		<-l.ended
	case !l.output:
		select {
		case <-l.ended:
		case <-time.After(inputGrace):
		}
	}
}

// stuck reports whether a call is still under way.
func (l *lender) stuck() bool { return l.busy.Load() }
