package proxy

import "time"

const (
	// stall is how long a request waits for the data before it. Data that takes
	// longer is held up by the host, which may need the request to go on.
	stall = 100 * time.Millisecond

	// patience is how long what follows a request that wants an answer waits for
	// it. The answer is the only sign that the request was sent; a host may give
	// it as late as it likes.
	patience = time.Second
)

// A request is a channel request of the slave's.
type request struct {
	name    string
	want    bool
	payload []byte
	after   uint64 // how many steps come before it
}

func (r *request) size() int { return 128 + len(r.name) + len(r.payload) }

// send sends the requests that are queued. One that wants an answer is followed
// by the next at the latest after patience, and by the next that wants one after
// its answer, because package ssh awaits one at a time.
func (u *upward) send() {
	answered := make(chan struct{})
	close(answered)
	for {
		u.mu.Lock()
		if len(u.requests) == 0 || u.over {
			u.drop()
			u.sending = false
			u.mu.Unlock()
			return
		}
		r := u.requests[0]
		u.requests[0] = request{}
		if u.requests = u.requests[1:]; len(u.requests) == 0 {
			u.requests = nil
		}
		if r.want {
			u.calls.Add(1)
		}
		u.mu.Unlock()
		u.reach(&u.done, r.after, stall)
		if r.want {
			<-answered
			answered = u.call(r)
		} else {
			u.ch.SendRequest(r.name, false, r.payload)
		}
		u.held(-r.size())
		u.grow(&u.sent, 1)
	}
}

// call sends a request that wants an answer, passes that on when it comes, and
// returns after it or after patience. No answer comes from a channel that is
// over.
func (u *upward) call(r request) (answered chan struct{}) {
	answered = make(chan struct{})
	go func() {
		defer close(answered)
		defer u.calls.Done()
		if ok, err := u.ch.SendRequest(r.name, true, r.payload); err == nil {
			u.answer(ok)
		}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-answered:
	case <-timer.C:
	}
	return answered
}

// drop forgets the requests that are queued; the caller holds mu.
func (u *upward) drop() {
	for i := range u.requests {
		u.held(-u.requests[i].size())
	}
	u.requests = nil
}
