package crew

import (
	"slices"
	"sync"
	"time"
)

const (
	// kept is how long a goroutine waits for its next errand.
	kept = 100 * time.Millisecond

	// most is how many wait at most.
	most = 32
)

// A worker is a goroutine of the crew.
type worker struct {
	errands  chan func() // one at most is on its way
	patience *time.Timer
}

// idle are those that wait. Who worked last comes last, and is sent first.
var idle struct {
	mu      sync.Mutex
	workers []*worker
}

// Go runs an errand on a goroutine that nothing else uses meanwhile, and does not
// wait for it.
func Go(errand func()) {
	if w := take(); w != nil {
		w.errands <- errand
		return
	}
	go work(errand)
}

// take takes out one of those that wait; nil where there is none.
func take() *worker {
	idle.mu.Lock()
	defer idle.mu.Unlock()
	last := len(idle.workers) - 1
	if last < 0 {
		return nil
	}
	w := idle.workers[last]
	idle.workers = slices.Delete(idle.workers, last, last+1)
	return w
}

// work does an errand, and those that come soon after it.
func work(errand func()) {
	w := &worker{errands: make(chan func(), 1), patience: time.NewTimer(kept)}
	for errand != nil {
		errand()
		errand = w.next()
	}
}

// next waits for an errand; nil is that none came.
func (w *worker) next() func() {
	if !w.offer() {
		return nil
	}
	w.patience.Reset(kept)
	select {
	case errand := <-w.errands:
		return errand
	case <-w.patience.C:
	}
	if w.withdraw() {
		return nil
	}
	return <-w.errands // somebody has just taken it
}

// offer makes w one of those that wait, unless they are enough.
func (w *worker) offer() bool {
	idle.mu.Lock()
	defer idle.mu.Unlock()
	if len(idle.workers) >= most {
		return false
	}
	idle.workers = append(idle.workers, w)
	return true
}

// withdraw takes w out, and says whether it was there.
func (w *worker) withdraw() bool {
	idle.mu.Lock()
	defer idle.mu.Unlock()
	i := slices.Index(idle.workers, w)
	if i < 0 {
		return false
	}
	idle.workers = slices.Delete(idle.workers, i, i+1)
	return true
}
