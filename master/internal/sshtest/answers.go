package sshtest

import "sync"

// answers gives the replies of one channel, or of one connection's global requests, in order, some of them late. It has a
// goroutine only while something is held, so an idle channel costs nothing, and the requests behind a held one are still
// received: a request stream that nobody reads stops the whole connection.
type answers struct {
	done <-chan struct{} // the end of the channel or connection: nothing is held any longer
	wg   *sync.WaitGroup // counts the goroutine

	mu      sync.Mutex
	running bool
	queue   []answer
}

type answer struct {
	gate <-chan struct{} // nil: at once
	give func()
}

// add gives the answer when its gate is open and all earlier ones have been given.
func (a *answers) add(gate <-chan struct{}, give func()) {
	a.mu.Lock()
	if gate == nil && !a.running {
		a.mu.Unlock()
		give()
		return
	}
	a.queue = append(a.queue, answer{gate, give})
	if !a.running {
		a.running = true
		a.wg.Go(a.drain)
	}
	a.mu.Unlock()
}

func (a *answers) drain() {
	for {
		a.mu.Lock()
		if len(a.queue) == 0 {
			a.running = false
			a.mu.Unlock()
			return
		}
		next := a.queue[0]
		a.queue = a.queue[1:]
		a.mu.Unlock()
		wait(next.gate, a.done)
		next.give()
	}
}

// wait returns when the gate opens or done is closed; a nil gate is open.
func wait(gate, done <-chan struct{}) {
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-done:
	}
}
