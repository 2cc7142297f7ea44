package session

import (
	"sync"

	"sshmaster/master/internal/crew"
)

// reports passes on to the slave what it has to hear, in order, without waiting
// for a slave that does not listen: the requests of the host's channel must be
// taken meanwhile.
type reports struct {
	to Reporter

	mu     sync.Mutex
	last   chan struct{} // closed when the last report was sent; nil before any
	closed bool
}

func (r *reports) send(report func(Reporter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	before, sent := r.last, make(chan struct{})
	r.last = sent
	crew.Go(func() {
		defer close(sent)
		if before != nil {
			<-before
		}
		report(r.to)
	})
}

// stop has nothing sent any more but what is under way.
func (r *reports) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// close returns when everything was sent; nothing is any more after that.
func (r *reports) close() {
	r.stop()
	if last := r.last; last != nil { // nobody sets it any more
		<-last
	}
}
