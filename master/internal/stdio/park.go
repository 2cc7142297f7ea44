package stdio

import (
	"errors"
	"os"
	"sync"
	"time"

	"sshmaster/master/internal/quiet"
)

// ErrParked is what [Stream.ReadOrPark] returns when nothing came for a while.
var ErrParked = errors.New("stdio: parked")

// parking is how a stream waits without a goroutine.
type parking struct {
	// The reader's.
	armed bool // the driver's reads end at a deadline
	moved bool // something came since
	stays bool // there is no parking here

	mu     sync.Mutex
	watch  *quiet.Watch // nil while nobody is parked
	resume func()
}

// patient is a driver whose reads can end at a deadline.
type patient interface {
	setReadDeadline(time.Time) error
	rest() // lets go what a read that waits needs
}

// ReadOrPark is [Stream.ReadPooled] for a goroutine that can be spared: when
// nothing has come for a while, it returns ErrParked, and resume is called, once
// and on a goroutine of its own, when something has come or the stream was closed.
// An idle stream costs no stack then.
func (s *Stream) ReadOrPark(pool *Pool, resume func()) (*Buffer, error) {
	k := &s.input().parking
	d, ok := s.driver.(patient)
	if !ok || k.stays {
		return s.ReadPooled(pool)
	}
	for {
		if !k.armed {
			k.armed, k.moved = true, false
			if d.setReadDeadline(time.Now().Add(quiet.After)) != nil {
				k.stays = true
				return s.ReadPooled(pool)
			}
		}
		buf, err := s.ReadPooled(pool)
		if err != os.ErrDeadlineExceeded {
			k.moved = true
			return buf, err
		}
		k.armed = false
		switch {
		case k.moved:
		case s.park(d, resume):
			return nil, ErrParked
		default:
			k.stays = true
			d.setReadDeadline(time.Time{})
			return s.ReadPooled(pool)
		}
	}
}

// park waits without a goroutine, if that is possible.
func (s *Stream) park(d patient, resume func()) bool {
	k := &s.in.Load().parking
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	d.rest()
	k.resume = resume
	err := s.driver.control(func(fd uintptr) { k.watch = quiet.New(int(fd), s.unpark) })
	return err == nil && k.watch != nil
}

// unpark has the one who was parked go on.
func (s *Stream) unpark() {
	k := &s.in.Load().parking
	k.mu.Lock()
	k.watch = nil
	resume := k.resume
	k.mu.Unlock()
	resume()
}

// leavePark ends the wait of one who is parked, for the stream is about to be
// closed.
func (s *Stream) leavePark() {
	in := s.in.Load()
	if in == nil {
		return
	}
	k := &in.parking
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.watch != nil && k.watch.Cancel() {
		k.watch = nil
		go k.resume()
	}
}
