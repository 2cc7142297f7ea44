package pool

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/crew"
	"sshmaster/master/internal/upstream"
)

// A seat is a place on a member, with a spare channel if it had one.
type seat struct {
	m     *member
	spare *spare

	alone bool // no session had a seat beside it when it was taken
	take  int  // as which it was taken
	ends  int  // of sessions on m, until then
}

// A waiter is one wait for a channel, or for a link.
//
//	queued ──▶ seated ──▶ asked ──▶ confirmed
//	  ▲                     ├─ refused for want of room, link lost: queued again
//	  └── beside ───────────┴─ no answer on a silent link
type waiter struct {
	pool *Pool
	want *Want

	seats    chan seat  // granted; of one at a time
	failed   chan error // there is no link to be had
	outcomes chan outcome
	over     chan struct{} // closed when nobody waits for outcomes any more

	// Under the pool's lock.
	tried   map[*member]bool // where it has a seat, or had one
	settled bool             // takes what there is
	gone    bool             // waits no more

	asked    int // seats on which the host has not answered
	refusals int // answers that were none
}

// An outcome is the host's answer on one seat.
type outcome struct {
	seat
	began time.Time
	ch    ssh.Channel
	reqs  <-chan *ssh.Request
	err   error
}

func (p *Pool) newWaiter(want *Want) *waiter {
	return &waiter{
		pool: p, want: want,
		seats: make(chan seat, 1), failed: make(chan error, 1),
		outcomes: make(chan outcome), over: make(chan struct{}),
	}
}

// queue asks for a seat, unless one is asked for or granted already.
func (w *waiter) queue() {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.gone || len(w.seats) > 0 || slices.Contains(p.waiting, w) {
		return
	}
	if p.closed {
		w.fail(ErrClosed)
		return
	}
	if len(p.waiting) == 0 { // what was hopeless, or not urgent, is tried anew
		p.hopeless, p.pause, p.next = false, firstPause, time.Time{}
	}
	p.waiting = append(p.waiting, w)
	p.place()
}

// fail tells w that there is no link to be had. One reason is enough.
func (w *waiter) fail(err error) {
	select {
	case w.failed <- err:
	default:
	}
}

// quit takes w out of the queue, and gives back what it was granted meanwhile.
func (w *waiter) quit() {
	p := w.pool
	close(w.over)
	p.mu.Lock()
	w.gone = true
	p.waiting = slices.DeleteFunc(p.waiting, func(other *waiter) bool { return other == w })
	p.mu.Unlock()
	select {
	case s := <-w.seats:
		w.waste(outcome{seat: s})
	default:
	}
}

// ask asks the host on a seat, on a goroutine of its own.
func (w *waiter) ask(ctx context.Context, s seat) {
	w.asked++
	w.pool.mu.Lock()
	if w.tried == nil {
		w.tried = make(map[*member]bool, 1)
	}
	w.tried[s.m] = true
	w.pool.mu.Unlock()
	began := time.Now()
	crew.Go(func() {
		o := outcome{seat: s, began: began}
		switch {
		case w.want.kind == home:
		case s.spare != nil:
			o.ch, o.reqs, o.err = s.spare.awaken(ctx)
		default:
			o.ch, o.reqs, o.err = s.m.link.OpenChannel(ctx, w.want.name, w.want.extra)
		}
		select {
		case w.outcomes <- o:
		case <-w.over:
			w.waste(o)
		}
	})
}

// asItIs is what comes of a seat with a spare about which nobody need be asked.
func (s seat) asItIs() (o outcome) {
	o.seat = s
	o.ch, o.reqs = s.spare.release()
	return o
}

// waste gives back a seat that nobody needs any more, with what the host made of
// it.
func (w *waiter) waste(o outcome) {
	if o.spare != nil {
		o.ch, o.reqs = o.spare.release()
	}
	if o.ch != nil {
		go upstream.Discard(o.ch, o.reqs)
	}
	w.pool.leave(o.m, w.want, o.spare != nil)
}

// wait waits for the host's consent on some seat. The seat is then the caller's,
// to be given back by [Pool.leave].
func (w *waiter) wait(ctx context.Context) (outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer w.quit()
	h := &hold{waiter: w}
	defer h.end()
	if w.pool.lonely() {
		h.start()
	}
	w.queue()
	select {
	case s := <-w.seats:
		if s.spare != nil && s.spare.alive() {
			return w.accept(s.asItIs()), nil
		}
		w.ask(ctx, s)
		h.watch(s.m)
	default:
		h.start()
	}
	var last error
	for {
		select {
		case s := <-w.seats:
			w.ask(ctx, s)
			h.watch(s.m)
		case o := <-w.outcomes:
			w.asked--
			if o.err == nil {
				return w.accept(o), nil
			}
			if err := w.again(ctx, o); err != nil {
				return outcome{}, err
			}
			h.start()
		case last = <-w.failed:
			if w.asked == 0 {
				return outcome{}, last
			}
		case <-h.doubtful():
			h.doubt()
		case <-h.beats():
			if err := h.count(last); err != nil {
				return outcome{}, err
			}
		case <-ctx.Done():
			return outcome{}, context.Cause(ctx)
		}
	}
}

// accept takes a channel that the host has opened.
func (w *waiter) accept(o outcome) outcome {
	w.pool.confirmed(o, w.want)
	return o
}

// again deals with a seat on which the host did not consent: w waits on, unless
// the answer is final.
func (w *waiter) again(ctx context.Context, o outcome) error {
	var refused *ssh.OpenChannelError
	switch {
	case ctx.Err() != nil:
		w.waste(outcome{seat: o.seat})
		return context.Cause(ctx)
	case errors.As(o.err, &refused):
		switch answer := w.pool.refused(o.seat, w.want); {
		case answer && (!o.m.ever || w.want.kind != session): // a stream is refused for its target
			return refused
		case answer && w.refusals < maxRefusals: // it may be about to let go of the last one
			w.forgive(o.m)
			time.AfterFunc(letGo<<w.refusals, w.queue)
			w.refusals++
			return nil
		case answer:
			w.pool.shun(o.m)
		}
	default: // the link has ended, or is about to
		w.waste(outcome{seat: o.seat})
	}
	w.forgive(o.m)
	if w.asked == 0 {
		w.queue()
	}
	return nil
}

// forgive lets w have a seat on m again.
func (w *waiter) forgive(m *member) {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	delete(w.tried, m)
}

// A host that lets go of a session a moment later than it says so refuses one that
// should have had room: OpenSSH counts it for as long as its command runs on. letGo
// is how long that may take, at first; it doubles maxRefusals times. After that
// the link is passed by for shunTime, and another one may be had.
const (
	letGo       = 20 * time.Millisecond
	maxRefusals = 5
	shunTime    = time.Second
)

// shun passes a member by, whose host still counts sessions that have ended.
func (p *Pool) shun(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.shunned = time.Now().Add(shunTime)
	time.AfterFunc(shunTime, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.place()
	})
}

// refused notes that the host refused a channel, and says whether that is its
// answer: it is none as long as others have sessions on that link.
func (p *Pool) refused(s seat, want *Want) (answer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := s.m
	p.give(m, want, false)
	if want.kind != session || s.alone && s.take == m.takes {
		return true
	}
	if s.ends != m.ends {
		return false // one has ended meanwhile: there may be room again
	}
	if m.sessions > 0 {
		m.full = true
	}
	if p.limit == 0 && m.open == m.sessions { // none that is on its way may count, too
		p.limit = max(p.most, 1)
		p.cfg.Log.Info("the host allows no more sessions on a connection", "host", p.cfg.Host, "link", m.number, "sessions", p.limit)
	}
	return false
}

// opened counts a session that the host has opened, and learns that it allows so
// many. The lock is held.
func (p *Pool) opened(m *member) {
	m.open++
	p.most = max(p.most, m.open)
	if p.limit > 0 && p.most > p.limit {
		p.limit = p.most
		p.place()
	}
}

// confirmed notes that the host has opened a session.
func (p *Pool) confirmed(o outcome, want *Want) {
	if want.kind != session {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := o.m
	if o.spare == nil {
		p.opened(m)
		m.ever = true
		m.answer.Store(int64(time.Since(o.began)))
	}
	m.used = time.Now()
	if !m.near() {
		p.refill(m)
	}
}
