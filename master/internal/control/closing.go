package control

import (
	"io"
	"sync"
	"time"
)

// soon is when a connection is closed that has ended: not so soon that the master has
// a timer of a few milliseconds much of the time, for which see upstream's holdTime.
const soon = 100 * time.Millisecond

// ended are the connections of all masters that have ended, and are to be closed.
//
// Package os announces each close(2) to Go's scheduler, in case it takes long. That
// wakes the runtime's monitor thread, which then looks around every 20 µs while the next
// session is being opened. Nobody at the other end sees a difference between a
// connection that was shut down and a closed one, so they are closed together. With
// accept(2), of which the scheduler does not hear either, it is a fifth of the processor
// time of short sessions, and they take 0.97 of the time (sessions-1, 7 pairs).
var ended struct {
	mu    sync.Mutex
	conns []io.Closer
}

// mostEnded is how many wait to be closed at most.
const mostEnded = 64

// closeSoon closes a connection that was shut down.
func closeSoon(c io.Closer) {
	ended.mu.Lock()
	ended.conns = append(ended.conns, c)
	n := len(ended.conns)
	ended.mu.Unlock()
	switch n {
	case 1:
		time.AfterFunc(soon, closeNow)
	case mostEnded:
		closeNow()
	}
}

// closeNow closes those that wait for it.
func closeNow() {
	ended.mu.Lock()
	conns := ended.conns
	ended.conns = nil
	ended.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}
