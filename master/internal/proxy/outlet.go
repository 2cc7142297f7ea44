package proxy

import (
	"net"
	"sync"

	"sshmaster/muxproto"
)

// maxParts bounds how many pieces of memory go into one write.
const maxParts = 64

// An outlet writes packets to the slave. Small ones are posted: they are
// collected and never keep anybody waiting. Data is sent: its sender waits until
// it was written, which is the back-pressure of a slave that does not read.
//
// Whoever sends while nobody writes does the writing, and takes along whatever
// else is ready; who comes meanwhile waits and then takes over. What is posted
// while nobody sends is written by run.
type outlet struct {
	sock *muxproto.Conn
	wake chan struct{} // holds a token when run has something to look for

	mu      sync.Mutex
	room    sync.Cond   // signalled when control was taken or nothing can be written
	control []byte      // posted and not written
	waiting []*delivery // sent and not written, in order
	leading bool        // somebody writes or is about to
	closed  bool        // run has ended or is about to
	err     error       // why nothing can be written any more

	// The leader's alone.
	spare []byte
	taken []*delivery
	parts [][]byte
}

// A delivery is data packets on their way out. It belongs to one sender, who
// uses it again and again.
type delivery struct {
	parts   [][]byte
	headers []byte
	turn    chan bool // true: written, or it never will be; false: lead
}

func newDelivery() *delivery { return &delivery{turn: make(chan bool, 1)} }

func newOutlet(sock *muxproto.Conn) *outlet {
	o := &outlet{sock: sock, wake: make(chan struct{}, 1)}
	o.room.L = &o.mu
	return o
}

// post queues a small packet. A slave that has not read for so long that the
// queue is full is cut off: it would miss what it cannot do without.
func (o *outlet) post(m packet) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
	case len(o.control)+len(m.name)+len(m.data) > hardControl:
		o.fail(errDeaf)
		o.sock.Close()
	default:
		o.control = appendPacket(o.control, &m)
		o.stir()
	}
}

// offer is post for what the slave can do without. It returns false when there
// is no room.
func (o *outlet) offer(m packet) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || len(o.control)+len(m.name)+len(m.data) > hardControl/2 {
		return false
	}
	o.control = appendPacket(o.control, &m)
	o.stir()
	return true
}

// stir makes run look, unless somebody writes who will; the caller holds mu.
func (o *outlet) stir() {
	if o.leading || o.closed {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// awaitRoom waits while too much of what was posted is unwritten: a slave that
// does not read its answers is not read from either. One that has left is, for
// it may have said something before.
func (o *outlet) awaitRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.control) > softControl {
		o.room.Wait()
	}
}

// failure is why nothing can be written any more.
func (o *outlet) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// send writes d's parts in one piece and returns when that is done.
func (o *outlet) send(d *delivery) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if o.leading {
		o.waiting = append(o.waiting, d)
		o.mu.Unlock()
		written := <-d.turn
		o.mu.Lock()
		if written {
			return o.err
		}
	}
	o.leading = true
	o.write(d)
	return o.err
}

// run writes what was posted until the outlet is closed.
func (o *outlet) run() {
	for range o.wake {
		o.mu.Lock()
		if !o.leading && len(o.control) > 0 && o.err == nil {
			o.leading = true
			o.write(nil)
		}
		o.mu.Unlock()
	}
}

// close ends run and lets everybody go who waits. It is called once.
func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail(net.ErrClosed)
	o.closed = true
	close(o.wake)
}

// write writes everything that is ready, own first, and hands the lead on. The
// caller leads and holds mu, which is released meanwhile.
func (o *outlet) write(own *delivery) {
	defer o.handOn()
	if o.err != nil {
		return
	}
	control := o.control
	o.control, o.spare = o.spare[:0], nil
	o.collect(control, own)
	o.mu.Unlock()
	err := o.sock.WriteBuffers(o.parts)
	clear(o.parts)
	o.mu.Lock()
	if cap(control) <= softControl {
		o.spare = control
	}
	if err != nil {
		o.fail(err)
	}
	for i, d := range o.taken {
		d.turn <- true
		o.taken[i] = nil
	}
	o.room.Broadcast()
}

// collect takes what goes into one write.
func (o *outlet) collect(control []byte, own *delivery) {
	o.parts, o.taken = o.parts[:0], o.taken[:0]
	if len(control) > 0 {
		o.parts = append(o.parts, control)
	}
	if own != nil {
		o.parts = append(o.parts, own.parts...)
	}
	n := 0
	for n < len(o.waiting) && len(o.parts) < maxParts {
		o.parts = append(o.parts, o.waiting[n].parts...)
		n++
	}
	o.taken = append(o.taken, o.waiting[:n]...)
	o.unqueue(n)
}

// unqueue takes the first n senders off the queue.
func (o *outlet) unqueue(n int) {
	rest := copy(o.waiting, o.waiting[n:])
	clear(o.waiting[rest:])
	o.waiting = o.waiting[:rest]
}

// handOn makes the next sender the leader, or leaves what was posted to run.
func (o *outlet) handOn() {
	if len(o.waiting) > 0 {
		next := o.waiting[0]
		o.unqueue(1)
		next.turn <- false
		return
	}
	o.leading = false
	if len(o.control) > 0 {
		o.stir()
	}
}

// fail notes that nothing can be written any more and lets everybody go. The
// caller holds mu.
func (o *outlet) fail(err error) {
	if o.err != nil {
		return
	}
	o.err, o.control = err, nil
	for _, d := range o.waiting {
		d.turn <- true
	}
	o.waiting = nil
	o.room.Broadcast()
}
