package stdio

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollWaiter waits with poll(2), which every system has. All of them share one
// thread.
type pollWaiter struct {
	fd     int
	events int16
	ready  chan struct{} // holds one
	quit   chan struct{} // closed by close
}

func newPollWaiter(fd int, output bool) (*pollWaiter, error) {
	if err := pollLimit(fd); err != nil {
		return nil, err
	}
	return &pollWaiter{
		fd: fd, events: pollEvents(output),
		ready: make(chan struct{}, 1), quit: make(chan struct{}),
	}, nil
}

func (w *pollWaiter) until(retry func(uintptr) bool) error {
	for !retry(0) {
		if err := pollers.add(w); err != nil {
			return err
		}
		select {
		case <-w.ready:
		case <-w.quit:
			pollers.remove(w)
			return os.ErrClosed
		}
	}
	return nil
}

func (w *pollWaiter) setDeadline(time.Time) error { return os.ErrNoDeadline }

func (w *pollWaiter) close() { close(w.quit) }

// pollers is the one thread that waits for all pollWaiters of the process, as
// the runtime's poller does for files. It runs only while somebody waits.
var pollers pollThread

type pollThread struct {
	mu      sync.Mutex
	waiting map[*pollWaiter]struct{}
	wake    int // write end of the pipe that interrupts poll, while running
	running bool
}

// add has w told once when its descriptor is ready.
func (t *pollThread) add(w *pollWaiter) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.running {
		wakeup, wake, err := wakePipe()
		if err != nil {
			return fmt.Errorf("a pipe to wait with: %w", err)
		}
		t.waiting = make(map[*pollWaiter]struct{})
		t.wake, t.running = wake, true
		go t.run(wakeup)
	}
	t.waiting[w] = struct{}{}
	t.interrupt()
	return nil
}

func (t *pollThread) remove(w *pollWaiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, w)
	if t.running {
		t.interrupt()
	}
}

// interrupt makes run look at the waiting ones again. If the pipe is full it
// will do so anyway.
func (t *pollThread) interrupt() { unix.Write(t.wake, []byte{0}) }

func (t *pollThread) run(wakeup int) {
	var fds []unix.PollFd
	var who []*pollWaiter
	for {
		fds, who = t.collect(wakeup, fds[:0], who[:0])
		if len(who) == 0 {
			return
		}
		err := pollSome(fds, -1)
		if err == unix.EINTR {
			continue
		}
		if fds[0].Revents != 0 {
			var drain [64]byte
			unix.Read(wakeup, drain[:])
		}
		t.deliver(fds[1:], who, err)
	}
}

// collect lists the descriptors to wait for, the wake-up pipe first. When
// nobody waits any more it ends the thread and lists nobody.
func (t *pollThread) collect(wakeup int, fds []unix.PollFd, who []*pollWaiter) ([]unix.PollFd, []*pollWaiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.running = false
		unix.Close(t.wake)
		unix.Close(wakeup)
		return fds, who
	}
	fds = append(fds, unix.PollFd{Fd: int32(wakeup), Events: unix.POLLIN})
	for w := range t.waiting {
		fds = append(fds, unix.PollFd{Fd: int32(w.fd), Events: w.events})
		who = append(who, w)
	}
	return fds, who
}

// deliver wakes those whose descriptor is ready or bad; after an error of the
// call itself everybody, as the next attempt of each will tell.
func (t *pollThread) deliver(fds []unix.PollFd, who []*pollWaiter, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range who {
		if _, waits := t.waiting[w]; waits && (err != nil || fds[i].Revents != 0) {
			delete(t.waiting, w)
			w.ready <- struct{}{}
		}
	}
}

// wakePipe makes a pipe whose ends do not block.
func wakePipe() (r, w int, err error) {
	var pipe [2]int
	syscall.ForkLock.RLock()
	err = unix.Pipe(pipe[:])
	if err == nil {
		unix.CloseOnExec(pipe[0])
		unix.CloseOnExec(pipe[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, err
	}
	err = errors.Join(unix.SetNonblock(pipe[0], true), unix.SetNonblock(pipe[1], true), pollLimit(pipe[0]))
	if err != nil {
		unix.Close(pipe[0])
		unix.Close(pipe[1])
	}
	return pipe[0], pipe[1], err
}

// ready reports whether a call would find something to do now. A hang-up or
// an error counts: the call will tell which.
func ready(fd int, output bool) bool {
	if pollLimit(fd) != nil {
		return false // the waiter will refuse it
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: pollEvents(output)}}
	return pollSome(fds, 0) == nil && fds[0].Revents != 0
}

func pollEvents(output bool) int16 {
	if output {
		return unix.POLLOUT
	}
	return unix.POLLIN
}
