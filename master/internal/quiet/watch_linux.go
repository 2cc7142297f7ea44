package quiet

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Watch is one wait. It ends with one call of its function, or with Cancel.
type Watch struct {
	id    int32
	fd    int
	ready func()
}

// watches is all of the process.
var watches struct {
	mu   sync.Mutex
	file *os.File // the epoll instance; nil while nobody waits or holds
	raw  syscall.RawConn
	all  map[int32]*Watch
	last int32
	held int // by Hold
	told func()
}

// Tell has f called whenever a wait begins, and so something has been quiet for a
// while. It must not wait.
func Tell(f func()) {
	s := &watches
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = f
}

// Hold keeps ready what waits need, one descriptor and one goroutine, until release
// is called. Otherwise that comes with the first wait and goes with the last.
func Hold() (release func()) {
	s := &watches
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && !begin() {
		return func() {}
	}
	s.held++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held--
		rest()
	}
}

// New calls ready, once and on a goroutine of its own, when there is something to
// read from fd, or its other end is gone. It changes nothing of fd, which must stay
// open until then, or until Cancel. Nil means that such a wait is not possible.
func New(fd int, ready func()) *Watch {
	w := add(fd, ready)
	watches.mu.Lock()
	told := watches.told
	watches.mu.Unlock()
	if w != nil && told != nil {
		told()
	}
	return w
}

func add(fd int, ready func()) *Watch {
	s := &watches
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && !begin() {
		return nil
	}
	w := &Watch{id: freeID(), fd: fd, ready: ready}
	s.all[w.id] = w
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: w.id}
	if control(unix.EPOLL_CTL_ADD, fd, &event) != nil {
		w.drop()
		return nil
	}
	return w
}

// Cancel ends the wait, and says whether it did: after true the function is not
// called any more.
func (w *Watch) Cancel() bool {
	s := &watches
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[w.id] != w {
		return false
	}
	w.remove()
	return true
}

// begin makes the epoll instance and has it waited for. The lock is held.
func begin() bool {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	if err := unix.SetNonblock(ep, true); err != nil { // for the Go poller
		unix.Close(ep)
		return false
	}
	file := os.NewFile(uintptr(ep), "quiet")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return false
	}
	s := &watches
	s.file, s.raw, s.all = file, raw, make(map[int32]*Watch)
	go wait(raw)
	return true
}

// freeID is a number that no watch has. The lock is held.
func freeID() int32 {
	s := &watches
	for s.last++; s.all[s.last] != nil; s.last++ {
	}
	return s.last
}

// remove takes a watch off the epoll instance. The lock is held.
func (w *Watch) remove() {
	_ = control(unix.EPOLL_CTL_DEL, w.fd, nil)
	w.drop()
}

// drop forgets a watch. The lock is held.
func (w *Watch) drop() {
	delete(watches.all, w.id)
	rest()
}

// rest lets everything go that nobody needs any more. The lock is held.
func rest() {
	s := &watches
	if len(s.all) == 0 && s.held == 0 {
		go s.file.Close() // ends wait, and waits for that: it may have called us
		s.file, s.raw, s.all = nil, nil, nil
	}
}

// control is epoll_ctl(2). The lock is held.
func control(op, fd int, event *unix.EpollEvent) (err error) {
	if failed := watches.raw.Control(func(ep uintptr) { err = unix.EpollCtl(int(ep), op, fd, event) }); failed != nil {
		return failed
	}
	return err
}

// wait calls the functions of those that are ready until the instance is closed.
func wait(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 32)
	_ = raw.Read(func(ep uintptr) bool {
		for {
			n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, ep, uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
			if errno != 0 || n == 0 {
				return false // the poller calls again at the next one
			}
			dispatch(events[:n])
		}
	})
}

// dispatch ends the waits that are over.
func dispatch(events []unix.EpollEvent) {
	s := &watches
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if w := s.all[e.Fd]; w != nil {
			w.remove()
			go w.ready()
		}
	}
}
