package pool

import "time"

const (
	// mostSpares is how many spares bursts may make of fewer, and mostOpen how
	// many sessions such spares may bring about on a link whose limit is not
	// known: OpenSSH's default of MaxSessions is 10.
	mostSpares = 8
	mostOpen   = 10

	// burstMemory is how long a burst is a measure of the next one.
	burstMemory = time.Minute
)

// A bursts counts sessions that begin together: Ansible's forks, the windows of an
// editor. Who comes in a burst that is larger than the number of spares waits for
// another round trip, so that as many are kept as the last bursts were large.
type bursts struct {
	began time.Time // of the one that goes on
	count int
	last  time.Time // of one as large as most
	most  int
}

// add counts one session that begins. Those within span of the first are one burst:
// less than a round trip, or sessions one after the other would look like one.
func (b *bursts) add(now time.Time, span time.Duration) {
	if b.count == 0 || now.Sub(b.began) > span {
		b.began, b.count = now, 0
	}
	b.count++
	if b.count >= b.most || now.Sub(b.last) > burstMemory {
		b.most, b.last = b.count, now
	}
}

// spares is how many spares a member is to have; the lock is held.
func (p *Pool) spares(m *member) int {
	more := min(m.bursts.most, mostSpares)
	if p.cfg.Warm == 0 || more <= p.cfg.Warm || p.limit == 0 && m.sessions >= mostOpen {
		return p.cfg.Warm
	}
	return more
}

const (
	// briskGap is what is between the beginnings of sessions that come one after
	// the other, at most, and briskRun how many of them are more than chance.
	briskGap = 100 * time.Millisecond
	briskRun = 3
)

// A pace counts sessions that come one after the other without a pause.
type pace struct {
	last time.Time
	run  int
}

// add counts one session that begins.
func (c *pace) add(now time.Time) {
	if now.Sub(c.last) > briskGap {
		c.run = 0
	}
	c.last = now
	c.run++
}

// brisk says whether the next one may be expected at once.
func (c *pace) brisk() bool { return c.run >= briskRun }
