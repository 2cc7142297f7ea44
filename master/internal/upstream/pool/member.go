package pool

import (
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// A member is a link of the pool. But for link and what is atomic, its fields are
// under the pool's lock.
type member struct {
	link   Link
	number int

	sessions int // seats taken by session channels: being opened or open, spares among them
	open     int // those that the host has confirmed and not closed
	ttys     int // those on a terminal
	streams  int // seats taken by other channels
	others   int // users that the pool does not know of: jumps over the link

	spares  []*spare
	filling int       // spares being opened
	takes   int       // seats taken so far
	ends    int       // sessions closed so far
	ever    bool      // the host has opened a session
	full    bool      // the host has refused a session, and none has ended since
	shunned time.Time // until when the host is left to let go of what has ended

	retired bool      // gets no new channels
	suspect bool      // does not answer
	since   time.Time // when it became suspect
	asked   time.Time // when it was asked for a sign of life that has not come
	leaving bool      // we close it
	idle    *time.Timer

	used    time.Time    // when a session last began
	bursts  bursts       // of sessions that began together
	pace    pace         // of sessions that began one after the other
	fresh   bool         // it is kept speaking
	answer  atomic.Int64 // nanoseconds; how long the host took to open the last session
	ptys    atomic.Bool  // the host has granted a terminal
	traffic meter
	senders atomic.Int64 // channels that were given a number
}

// metered is ch with its bytes counted.
func (m *member) metered(ch ssh.Channel) metered { return metered{ch, m, m.senders.Add(1)} }

// serves says whether new channels may be opened there.
func (m *member) serves() bool { return !m.retired && !m.suspect && !m.leaving }

// patience is how long the host may take to answer: twice what it took before,
// and a moment.
func (m *member) patience() time.Duration {
	return 2*max(m.link.RoundTrip(), min(time.Duration(m.answer.Load()), longAnswer)) + settling
}

// roomy says whether the host allows one more session there, as far as is known.
func (p *Pool) roomy(m *member) bool {
	return len(m.spares) > 0 || !m.full && !time.Now().Before(m.shunned) && (p.limit == 0 || m.sessions < p.limit)
}

// take gives w a seat on m; the lock is held. It is given back by leave.
func (p *Pool) take(m *member, want *Want) (s seat) {
	defer m.tell()
	m.takes++
	s.m, s.alone, s.take, s.ends = m, m.sessions == 0, m.takes, m.ends
	m.stopTimer()
	if want.kind != session {
		m.streams++
		return s
	}
	now := time.Now()
	m.bursts.add(now, max(m.link.RoundTrip()/2, slack/2))
	m.pace.add(now)
	if s.spare = m.takeSpare(); s.spare == nil {
		m.sessions++
	}
	if want.TTY {
		m.ttys++
	}
	return s
}

// tell tells the link how much it carries.
func (m *member) tell() { m.link.Carries(m.sessions + m.streams) }

// leave gives a seat back; confirmed says whether the host had opened the
// channel.
func (p *Pool) leave(m *member, want *Want, confirmed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.give(m, want, confirmed)
	p.place()
}

func (p *Pool) give(m *member, want *Want, confirmed bool) {
	if want.kind != session {
		m.streams--
	} else {
		p.moved = time.Now()
		m.sessions--
		if confirmed {
			m.open--
			m.ends++
			m.full = false
		}
		if m.sessions == 0 {
			m.full = false
		}
		if want.TTY {
			m.ttys--
		}
	}
	m.tell()
	p.vacate(m)
}

// busy counts a user that the pool does not know of, until rest is called.
func (p *Pool) busy(m *member) (rest func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.others++
	m.stopTimer()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		m.others--
		p.vacate(m)
	}
}

// occupied says whether anybody uses m, or is about to.
func (m *member) occupied() bool {
	return m.sessions > len(m.spares) || m.streams > 0 || m.others > 0
}

// vacate closes a member that nobody uses: a retired one at once, a further one
// after a while. The lock is held.
func (p *Pool) vacate(m *member) {
	if m.occupied() || m.leaving || m.number == 0 || p.closed {
		return
	}
	switch {
	case m.retired:
		p.dismiss(m)
	case m != p.home && m.idle == nil:
		m.idle = time.AfterFunc(p.cfg.Idle, func() { p.expire(m) })
	}
}

// expire closes a member that was not used for Idle, unless it has become
// the home.
func (p *Pool) expire(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.idle == nil || m == p.home || p.closed {
		return
	}
	m.idle = nil
	p.dismiss(m)
}

// dismiss closes a member; the lock is held.
func (p *Pool) dismiss(m *member) {
	m.leaving = true
	p.running.Go(func() { _ = m.link.Close() })
}

func (m *member) stopTimer() {
	if m.idle != nil {
		m.idle.Stop()
		m.idle = nil
	}
}
