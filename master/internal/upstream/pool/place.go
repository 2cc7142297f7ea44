package pool

import (
	"slices"
	"time"
)

// place gives seats to those who wait, in the order in which they came, and sees
// to a further link where that does not do. It is called whenever something has
// changed; the lock is held.
func (p *Pool) place() {
	if p.closed {
		return
	}
	short := false
	still := p.waiting[:0]
	for _, w := range p.waiting {
		if m := p.choose(w); m != nil {
			p.moved = time.Now()
			w.seats <- p.take(m, w.want)
		} else {
			still = append(still, w)
			short = true
		}
	}
	clear(p.waiting[len(still):])
	p.waiting = still
	if short || p.home == nil && p.cfg.Wanted() || p.worried() {
		p.dialMore()
	}
}

// worried says whether sessions are on a link that does not answer while there is
// no other one to tell whether it is the link or the host.
func (p *Pool) worried() bool {
	return p.serving() == 0 && slices.ContainsFunc(p.members, func(m *member) bool { return m.suspect && m.occupied() })
}

// choose returns the member for w, or nil when w has to wait.
func (p *Pool) choose(w *waiter) *member {
	var best *member
	for _, m := range p.members {
		if !m.serves() || w.tried[m] {
			continue
		}
		if w.want.kind == home && m != p.home || w.want.kind == session && !p.roomy(m) {
			continue
		}
		if best == nil || p.better(m, best, w.want) {
			best = m
		}
	}
	if best != nil && !w.settled && clashes(best, w.want) && p.mayAdd() {
		return nil // it will get a link of its own
	}
	return best
}

// better says whether m suits a want better than other, the older one.
func (p *Pool) better(m, other *member, want *Want) bool {
	if a, b := clashes(m, want), clashes(other, want); a != b {
		return b
	}
	if want.kind != session {
		return false
	}
	if a, b := len(m.spares) > 0, len(other.spares) > 0; a != b {
		return a
	}
	return m.sessions < other.sessions
}

// clashes says whether what m carries would make a session sluggish, or the
// session what m carries.
func clashes(m *member, want *Want) bool {
	return want.TTY && m.loaded() && m.traffic.heavy() || want.Bulk && m.ttys > 0
}

// loaded says whether anything is under way that may carry much: what has ended
// does not any more.
func (m *member) loaded() bool {
	return m.sessions-len(m.spares)-m.filling > m.ttys || m.streams > 0 || m.others > 0
}

// serving counts the members that can take new channels.
func (p *Pool) serving() int {
	n := 0
	for _, m := range p.members {
		if m.serves() {
			n++
		}
	}
	return n
}

// mayAdd says whether one more link may be had beside those that serve, without
// asking anybody.
func (p *Pool) mayAdd() bool {
	return p.serving() < p.cfg.Max && !p.person && time.Now().After(p.enough)
}
