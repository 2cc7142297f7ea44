package pool

import (
	"context"
	"time"
)

// suspect keeps new channels off a member that does not answer, until it speaks
// again.
func (p *Pool) suspect(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || m.suspect || m.leaving || m.link.Err() != nil {
		return
	}
	m.suspect, m.since = true, time.Now()
	p.cfg.Log.Warn("the host does not answer on a connection", "host", p.cfg.Host, "link", m.number, "silent for", m.link.Silence().Round(time.Millisecond))
	p.running.Go(func() { p.doubt(m) })
	p.place()
}

// doubt asks a suspect for a sign of life and waits for it. A suspect beside which
// another link works is given up in the end.
func (p *Pool) doubt(m *member) {
	spoke := make(chan struct{})
	p.running.Go(func() {
		if _, err := m.link.Ping(p.ctx); err == nil {
			close(spoke)
		}
	})
	look := time.NewTicker(beat)
	defer look.Stop()
	for {
		select {
		case <-m.link.Done():
			return
		case <-p.ctx.Done():
			return
		case <-spoke:
			p.clear(m)
			return
		case <-look.C:
			if m.link.Silence() < time.Since(m.since) {
				p.clear(m)
				return
			}
			if time.Since(m.since) > p.cfg.LastChance && !p.lonely() {
				m.link.GiveUp()
			}
		}
	}
}

// clear takes a suspicion back.
func (p *Pool) clear(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.suspect, m.asked = false, time.Time{}
	p.cfg.Log.Info("the host answers again", "host", p.cfg.Host, "link", m.number, "after", time.Since(m.since).Round(time.Millisecond))
	p.elect()
	p.vacate(m)
	p.place()
}

// unanswered asks a member for a sign of life, unless it was asked before, and
// says whether the answer is overdue.
func (p *Pool) unanswered(m *member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if !m.asked.IsZero() {
		waited := time.Since(m.asked)
		return waited >= m.patience() && m.link.Silence() >= waited
	}
	m.asked = time.Now()
	p.running.Go(func() {
		if _, err := m.link.Ping(p.ctx); err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			m.asked = time.Time{}
		}
	})
	return false
}

// Check asks every link for a sign of life, because something has happened that
// may have cut them off: the machine has slept, its addresses or routes have
// changed. Those that do not answer in time are suspects.
func (p *Pool) Check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.pause, p.next = firstPause, time.Time{} // the network may be back
	for _, m := range p.members {
		if m.serves() {
			p.running.Go(func() { p.check(m) })
		}
	}
	p.place()
}

func (p *Pool) check(m *member) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(p.ctx, m.patience())
	defer cancel()
	if _, err := m.link.Ping(ctx); err != nil && m.link.Silence() >= time.Since(asked) {
		p.suspect(m)
	}
}
