package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// trusted is for how many round trips after a host's last byte its link is
	// taken to be alive.
	trusted = 3

	// slack is added to that, for the time that it takes to be here.
	slack = 20 * time.Millisecond

	// worthwhile is the round trip below which spares save nothing that anybody
	// would notice.
	worthwhile = 10 * time.Millisecond

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
}

// refill opens spares on a member that is used and far away; the lock is held.
func (p *Pool) refill(m *member) {
	if !m.serves() || len(p.waiting) > 0 || p.closed || m.link.RoundTrip() < worthwhile {
		return
	}
	for len(m.spares)+m.filling < p.spares(m) && !m.full && (p.limit == 0 || m.sessions < p.limit) {
		m.filling++
		m.sessions++
		ends := m.ends
		p.running.Go(func() { p.fill(m, ends) })
	}
	if p.cfg.Warm > 0 && !m.fresh {
		m.fresh = true
		p.running.Go(func() { p.freshen(m) })
	}
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
	if i := slices.Index(s.m.spares, s); i >= 0 {
		s.m.spares = slices.Delete(s.m.spares, i, i+1)
		_ = s.ch.Close()
		p.give(s.m, &spareWant, true)
		p.place()
	}
}

// takeSpare takes a spare out, with its seat; nil where there is none. The lock is
// held.
func (m *member) takeSpare() *spare {
	if len(m.spares) == 0 {
		return nil
	}
	s := m.spares[0]
	m.spares = slices.Delete(m.spares, 0, 1)
	return s
}

// awaken makes a spare ready for use: at once while its link is known to live,
// else after a sign of life.
func (s *spare) awaken(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	if trip := s.m.link.RoundTrip(); trip < worthwhile || s.m.link.Silence() > trusted*trip+slack {
		if _, err := s.m.link.Ping(ctx); err != nil {
			return nil, nil, err
		}
	}
	ch, reqs := s.release()
	return ch, reqs, nil
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
