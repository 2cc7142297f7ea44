package quiet

import (
	"reflect"
	"sync"
)

// share is how many channels a goroutine waits for at most. What it takes to begin
// anew grows with them: 64 take a hundredth of a millisecond, and 250 bytes each, of
// the 2.5 kB of a goroutine.
const share = 64

// Receive calls ready, once and on a goroutine of its own, with what is received
// from c, or with false when c is closed. It cannot be called off.
func Receive[T any](c <-chan T, ready func(v T, ok bool)) {
	receive(expected{reflect.ValueOf(c), func(v reflect.Value, ok bool) { ready(v.Interface().(T), ok) }})
}

// expected is one call of Receive.
type expected struct {
	from  reflect.Value
	ready func(v reflect.Value, ok bool)
}

// receivers is all of the process.
var receivers struct {
	mu    sync.Mutex
	roomy *receiver // one that may have room; nil for none
}

// A receiver is a goroutine that waits for many. It ends with the last of them.
type receiver struct {
	came chan struct{} // holds a token while there are new ones

	// Under the lock.
	all int
	new []expected
}

func receive(e expected) {
	s := &receivers
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roomy
	if r == nil || r.all == share {
		r = &receiver{came: make(chan struct{}, 1)}
		s.roomy = r
		go r.run()
	}
	r.all++
	r.new = append(r.new, e)
	if len(r.new) == 1 {
		r.came <- struct{}{}
	}
}

// run waits until nobody is left.
func (r *receiver) run() {
	who := []expected{{from: reflect.ValueOf(r.came)}}
	var cases []reflect.SelectCase
	for {
		cases = cases[:0]
		for _, e := range who {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: e.from})
		}
		i, v, ok := reflect.Select(cases)
		if i == 0 {
			who = append(who, r.newcomers()...)
			continue
		}
		go who[i].ready(v, ok)
		last := len(who) - 1
		who[i], who[last] = who[last], expected{}
		who = who[:last]
		if r.left() {
			return
		}
	}
}

func (r *receiver) newcomers() []expected {
	s := &receivers
	s.mu.Lock()
	defer s.mu.Unlock()
	new := r.new
	r.new = nil
	return new
}

// left notes that one is gone, and says whether it was the last.
func (r *receiver) left() (last bool) {
	s := &receivers
	s.mu.Lock()
	defer s.mu.Unlock()
	r.all--
	s.roomy = r
	if r.all == 0 {
		s.roomy = nil
	}
	return r.all == 0
}
