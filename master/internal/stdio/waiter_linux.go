package stdio

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// epollWaiter is an epoll instance that watches one descriptor and is itself
// watched by the Go poller. The instance is ours alone, so it may be
// non-blocking, and waiting costs no thread. Every wake-up of the descriptor
// passes through as an edge; nothing needs to be armed again.
type epollWaiter struct {
	file *os.File
	raw  syscall.RawConn
}

// newWaiter falls back to the waiter that all systems have when epoll refuses:
// the kernel allows 500 nested instances on one description.
func newWaiter(h *handle, output bool) (waiter, error) {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if output {
		events = unix.EPOLLOUT
	}
	var w waiter
	var failed error
	_, err := h.use(func(fd uintptr) bool {
		if e := newEpollWaiter(int(fd), events); e != nil {
			w = e
		} else {
			w, failed = newPollWaiter(int(fd), output)
		}
		return true
	})
	return w, errors.Join(err, failed)
}

func newEpollWaiter(fd int, events uint32) *epollWaiter {
	ep, err := epollOf(fd, events)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(ep), "epoll")
	raw, err := file.SyscallConn()
	if err != nil || file.SetReadDeadline(time.Time{}) != nil {
		file.Close() // the poller did not take it
		return nil
	}
	return &epollWaiter{file: file, raw: raw}
}

func epollOf(fd int, events uint32) (int, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, err
	}
	event := unix.EpollEvent{Events: events}
	err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &event)
	if err == nil {
		err = unix.SetNonblock(ep, true)
	}
	if err != nil {
		unix.Close(ep)
		return -1, err
	}
	return ep, nil
}

func (w *epollWaiter) until(retry func(uintptr) bool) error { return w.raw.Read(retry) }

func (w *epollWaiter) setDeadline(t time.Time) error { return w.file.SetReadDeadline(t) }

func (w *epollWaiter) close() { w.file.Close() }

// waitable reports whether the kernel can wait for fd at all.
func waitable(fd int) bool {
	ep, err := epollOf(fd, unix.EPOLLIN)
	if err != nil {
		return false
	}
	unix.Close(ep)
	return true
}
