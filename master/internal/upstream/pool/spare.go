package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream"
)

const (
	// trusted is for how many round trips after a host's last byte its link is
	// taken to be alive.
	trusted = 3

	// slack is added to that, for the time that it takes to be here.
	slack = 20 * time.Millisecond

	// near is the round trip below which a spare saves nothing that a person would
	// notice.
	near = 10 * time.Millisecond

	// few is up to how many sessions at once a near host gets a spare beside.
	few = 3

	// unusedTime is how long a near host's spare waits for its use.
	unusedTime = time.Second

	// freshTime is how long a link is kept speaking after a session began.
	freshTime = 15 * time.Second
)

// A spare is a session channel that nobody uses yet. It takes a seat.
type spare struct {
	m    *member
	ch   ssh.Channel
	reqs <-chan *ssh.Request

	once  sync.Once
	taken chan struct{} // closed by release
	idle  chan struct{} // closed when reqs are nobody's
	timer *time.Timer   // of its expiry; nil where it may wait for ever
}

// refill opens spares on a member that is used; the lock is held.
func (p *Pool) refill(m *member) {
	if !m.serves() || len(p.waiting) > 0 || p.closed {
		return
	}
	wanted := p.spares(m)
	if m.near() {
		wanted = m.nearSpares(wanted)
	}
	for len(m.spares)+m.filling < wanted && !m.full && (p.limit == 0 || m.sessions < p.limit) {
		m.filling++
		m.sessions++
		m.tell()
		ends := m.ends
		p.running.Go(func() { p.fill(m, ends) })
	}
	if p.cfg.Warm > 0 && !m.fresh && !m.near() {
		m.fresh = true
		p.running.Go(func() { p.freshen(m) })
	}
}

// started notes that a session's program runs. A near host is asked for the next spare
// then, and no earlier: asked while it starts the program, it does that first, and who
// waits for the program waits for both. Short sessions take 0.99 of the time (sessions-1,
// 8 pairs).
func (p *Pool) started(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.near() {
		p.refill(m)
	}
}

// near says whether the host answers so soon that nobody notices, as far as is
// known.
func (m *member) near() bool { return m.link.RoundTrip() < near }

// nearSpares is how many of the spares that are wanted a near host gets: one while
// sessions come one after the other as fast as they can, a program's. The next one
// need not wait then until the server has opened its channel, which is a twentieth
// of what it takes.
func (m *member) nearSpares(wanted int) int {
	if !m.pace.brisk() || m.sessions > few {
		return 0
	}
	return min(wanted, 1)
}

// spareWant is what the seats of spares are for.
var spareWant = Want{name: "session"}

// fill opens one spare; ends is how many sessions had ended when it began. A host that refuses it has told how many sessions it
// allows.
func (p *Pool) fill(m *member, ends int) {
	ch, reqs, err := m.link.OpenChannel(p.ctx, "session", nil)
	p.mu.Lock()
	m.filling--
	p.mu.Unlock()
	if err != nil {
		p.unfilled(m, ends, err)
		return
	}
	s := &spare{m: m, ch: ch, reqs: reqs, taken: make(chan struct{}), idle: make(chan struct{})}
	p.mu.Lock()
	m.spares = append(m.spares, s)
	if m.near() {
		s.timer = time.AfterFunc(unusedTime, func() { p.expireSpare(s) })
	}
	p.opened(m)
	p.running.Go(func() { p.keep(s) })
	p.vacate(m)
	p.place()
	p.mu.Unlock()
}

// unfilled gives back the seat of a spare that could not be had.
func (p *Pool) unfilled(m *member, ends int, err error) {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		p.refused(seat{m: m, ends: ends}, &spareWant)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.place()
		return
	}
	p.leave(m, &spareWant, false)
}

// keep serves a spare's requests until it is taken, or the host closes it.
func (p *Pool) keep(s *spare) {
	defer close(s.idle)
	for {
		select {
		case <-s.taken:
			return
		case req, ok := <-s.reqs:
			if !ok {
				p.wither(s)
				return
			}
			if req.WantReply {
				_ = req.Reply(false, nil)
			}
		}
	}
}

// wither drops a spare that the host has closed. One that is just being taken is
// its taker's to notice.
func (p *Pool) wither(s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drop(s) {
		_ = s.ch.Close()
	}
}

// expireSpare closes a spare that nobody has used.
func (p *Pool) expireSpare(s *spare) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && p.drop(s) {
		p.running.Go(func() { upstream.Discard(s.release()) })
	}
}

// drop takes a spare away, with its seat, and says whether it was there. The lock
// is held.
func (p *Pool) drop(s *spare) bool {
	i := slices.Index(s.m.spares, s)
	if i < 0 {
		return false
	}
	s.m.spares = slices.Delete(s.m.spares, i, i+1)
	p.give(s.m, &spareWant, true)
	p.place()
	return true
}

// takeSpare takes a spare out, with its seat; nil where there is none. The lock is
// held.
func (m *member) takeSpare() *spare {
	if len(m.spares) == 0 {
		return nil
	}
	s := m.spares[0]
	m.spares = slices.Delete(m.spares, 0, 1)
	if s.timer != nil {
		s.timer.Stop()
	}
	return s
}

// awaken makes a spare ready for use: at once while its link is known to live,
// else after a sign of life.
func (s *spare) awaken(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	if !s.alive() {
		if _, err := s.m.link.Ping(ctx); err != nil {
			return nil, nil, err
		}
	}
	ch, reqs := s.release()
	return ch, reqs, nil
}

// alive says whether the link of a spare is known to live.
func (s *spare) alive() bool {
	return s.m.link.Silence() <= trusted*s.m.link.RoundTrip()+slack
}

// release hands the channel and its requests over.
func (s *spare) release() (ssh.Channel, <-chan *ssh.Request) {
	s.once.Do(func() { close(s.taken) })
	<-s.idle
	return s.ch, s.reqs
}

// freshen keeps a link speaking for a while after it was used, so that its spares
// can be trusted. What was trusted wrongly is found out by this, too.
func (p *Pool) freshen(m *member) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		m.fresh = false
	}()
	for {
		p.mu.Lock()
		over := !m.serves() || time.Since(m.used) > freshTime || len(m.spares)+m.filling == 0
		p.mu.Unlock()
		if over {
			return
		}
		trip := m.link.RoundTrip()
		select {
		case <-time.After(trip):
		case <-m.link.Done():
			return
		case <-p.ctx.Done():
			return
		}
		if m.link.Silence() >= trip {
			p.check(m)
		}
	}
}
