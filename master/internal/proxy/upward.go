package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// A step is something to be done to the channel's data direction, in order.
type step struct {
	kind  byte   // msgData, msgExtendedData, msgEOF or msgClose
	chunk *chunk // data
	after uint64 // how many requests come before it
}

// An upward is the way from the slave to the host on one channel: what was
// received and not passed on. Two goroutines take from it, one for data and one
// for requests, each only while there is something to take.
type upward struct {
	ch     ssh.Channel // immutable once attached
	count  *atomic.Uint64
	credit func(n int)   // gives window back to the slave
	held   func(n int)   // counts memory, with a negative number what is given back
	answer func(ok bool) // tells the slave what the host said to a request

	calls sync.WaitGroup // counts requests whose answer is awaited

	mu       sync.Mutex
	changed  chan struct{} // closed when a count below grows; nil while nobody waits
	attached bool
	over     bool // the host has closed the channel: everything is thrown away

	steps    []step
	spare    []step
	queued   uint64 // steps so far
	done     uint64 // steps done
	writing  bool   // a goroutine does steps
	requests []request
	asked    uint64 // requests so far
	sent     uint64 // requests that the host has or will soon have
	sending  bool   // a goroutine sends requests
	closing  bool   // CLOSE is queued
}

// attach lets the queue flow into the channel.
func (u *upward) attach(ch ssh.Channel) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ch, u.attached = ch, true
	u.start()
}

// start starts what has something to do; the caller holds mu.
func (u *upward) start() {
	if !u.attached {
		return
	}
	if len(u.steps) > 0 && !u.writing {
		u.writing = true
		go u.write()
	}
	if len(u.requests) > 0 && !u.sending {
		u.sending = true
		go u.send()
	}
}

// data queues a packet's data. It returns true when it has taken the memory that
// the data lies in, which is in's.
func (u *upward) data(kind byte, p []byte, in *chunk) (taken bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over || u.closing {
		return false
	}
	if len(p) >= adoptFrom {
		in.to = cap(in.mem) - cap(p) + len(p)
		in.from = in.to - len(p)
		u.push(step{kind: kind, chunk: in})
		return true
	}
	if t := u.tail(kind); t != nil {
		p = t.append(p)
	}
	if len(p) > 0 {
		c := newChunk(len(p))
		c.append(p)
		u.push(step{kind: kind, chunk: c})
	}
	return false
}

// tail is the chunk that more data of the kind may be added to; the caller holds
// mu.
func (u *upward) tail(kind byte) *chunk {
	if n := len(u.steps); n > 0 {
		if s := &u.steps[n-1]; s.kind == kind && s.chunk != nil && s.after == u.asked {
			return s.chunk
		}
	}
	return nil
}

// eof queues the end of the slave's data.
func (u *upward) eof() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.over && !u.closing {
		u.push(step{kind: msgEOF})
	}
}

// close queues the end of the channel. Nothing is queued after it.
func (u *upward) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over || u.closing {
		return
	}
	u.closing = true
	stuck := u.done < u.queued || u.sent < u.asked
	u.push(step{kind: msgClose})
	if stuck {
		go u.closeWhenStuck()
	}
}

// push queues a step; the caller holds mu.
func (u *upward) push(s step) {
	if s.chunk != nil {
		u.held(len(s.chunk.mem))
	}
	s.after = u.asked
	u.steps = append(u.steps, s)
	u.queued++
	u.start()
}

// request queues a request.
func (u *upward) request(r request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over || u.closing {
		return
	}
	u.held(r.size())
	r.after = u.queued
	u.requests = append(u.requests, r)
	u.asked++
	u.start()
}

// grow changes a count and wakes those who wait for it.
func (u *upward) grow(count *uint64, n uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	*count += n
	u.notify()
}

// notify wakes those who wait; the caller holds mu.
func (u *upward) notify() {
	if u.changed != nil {
		close(u.changed)
		u.changed = nil
	}
}

// reach waits until a count has reached goal or the channel is over, for at most
// limit if that is not 0.
func (u *upward) reach(count *uint64, goal uint64, limit time.Duration) {
	var late <-chan time.Time
	for {
		u.mu.Lock()
		if *count >= goal || u.over {
			u.mu.Unlock()
			return
		}
		if u.changed == nil {
			u.changed = make(chan struct{})
		}
		changed := u.changed
		u.mu.Unlock()
		if limit > 0 && late == nil {
			timer := time.NewTimer(limit)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
			return
		}
	}
}

// finish throws away what is queued, because the host has closed the channel, and
// returns when no answer to a request is under way any more.
func (u *upward) finish() {
	u.mu.Lock()
	u.over = true
	u.notify()
	if !u.attached {
		u.forget()
	}
	u.mu.Unlock()
	u.calls.Wait()
}

// forget gives back the memory of what was never begun; the caller holds mu.
func (u *upward) forget() {
	for _, s := range u.steps {
		if s.chunk != nil {
			u.held(-len(s.chunk.mem))
			s.chunk.release()
		}
	}
	u.steps = nil
	u.drop()
}
