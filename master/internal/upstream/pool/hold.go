package pool

import (
	"fmt"
	"slices"
	"time"
)

// beat is how often the time of a wait is counted.
const beat = 250 * time.Millisecond

// A hold is what is done for somebody whose wait is long: the link is suspected
// when the host does not answer, the one who waits is told why, and may be asked
// what a login asks, and the wait has an end.
type hold struct {
	*waiter

	asked   *member // where the host was asked last
	began   time.Time
	doubts  *time.Timer
	ticker  *time.Ticker
	told    bool
	waited  time.Duration // while nothing moved and nobody was asked
	total   time.Duration // while nobody was asked
	guest   Guest         // nil for nobody
	leaving func()        // Asks without the guest
}

// watch expects an answer on m.
func (h *hold) watch(m *member) {
	h.asked, h.began = m, time.Now()
	wait := m.patience()
	if h.doubts == nil {
		h.doubts = time.NewTimer(wait)
	} else {
		h.doubts.Reset(wait)
	}
}

func (h *hold) doubtful() <-chan time.Time {
	if h.doubts == nil {
		return nil
	}
	return h.doubts.C
}

// doubt suspects a link that has said nothing since the host was asked, and asks
// for a seat on another one. A host that is busy speaks all the same. That it
// does not open a stream says nothing of the link: the stream's target may not
// answer.
func (h *hold) doubt() {
	h.start()
	m := h.asked
	silent := m.link.Silence() >= time.Since(h.began)
	if h.want.kind != session {
		silent = h.pool.unanswered(m)
	}
	if !silent {
		h.doubts.Reset(m.patience())
		return
	}
	h.pool.suspect(m)
	h.queue()
}

// lonely says whether there is no link that serves.
func (p *Pool) lonely() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serving() == 0
}

// start begins to count the time, and lets the guest be asked.
func (h *hold) start() {
	if h.ticker != nil {
		return
	}
	h.ticker = time.NewTicker(beat)
	if h.want.Guest != nil {
		h.guest = h.want.Guest()
		h.leaving = h.pool.cfg.Asks.Join(h.guest)
	}
}

func (h *hold) beats() <-chan time.Time {
	if h.ticker == nil {
		return nil
	}
	return h.ticker.C
}

// count counts one beat, and ends a wait that has become too long.
func (h *hold) count(failed error) error {
	asking, moved, why := h.pool.outlook()
	if !asking {
		h.total += beat
	}
	if asking || moved {
		h.waited = 0
	} else {
		h.waited += beat
	}
	if h.guest != nil && !h.told && !asking && h.total >= tellTime {
		h.told = true
		h.guest.Tell(why)
	}
	if h.waited < h.pool.cfg.Hold {
		return nil
	}
	if failed != nil {
		return failed
	}
	return fmt.Errorf("%s (HoldTimeout %v)", why, h.pool.cfg.Hold)
}

func (h *hold) end() {
	if h.doubts != nil {
		h.doubts.Stop()
	}
	if h.ticker != nil {
		h.ticker.Stop()
	}
	if h.guest != nil {
		h.leaving()
		h.guest.Close()
	}
}

// outlook says whether a person is being asked, whether seats become free now and
// then, and in a sentence what is waited for.
func (p *Pool) outlook() (asking, moving bool, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asking = p.cfg.Asks.Asking()
	switch {
	case p.serving() > 0 && len(p.waiting) > 0 && p.limit > 0:
		moving = time.Since(p.moved) < 2*beat
		return asking, moving, fmt.Sprintf("waiting for a free session: %s allows %d on a connection, and all of %d are in use",
			p.cfg.Host, p.limit, p.limit*p.serving())
	case len(p.waiting) > 0 && slices.ContainsFunc(p.members, func(m *member) bool { return time.Now().Before(m.shunned) }):
		return asking, false, fmt.Sprintf("waiting for a free session: %s has not let go of those that have ended, whose commands may still run", p.cfg.Host)
	case p.serving() == 0 && len(p.members) > 0:
		return asking, false, fmt.Sprintf("%s does not answer: connecting anew", p.cfg.Host)
	case p.serving() == 0 && p.trouble != nil:
		return asking, false, fmt.Sprintf("connecting to %s anew: %v", p.cfg.Host, p.trouble)
	case p.serving() == 0:
		return asking, false, fmt.Sprintf("connecting to %s", p.cfg.Host)
	default:
		return asking, false, fmt.Sprintf("waiting for %s", p.cfg.Host)
	}
}
