package pool

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/prompt"
)

// dialMore dials a link if that is of use now; the lock is held. One dial runs
// at a time.
func (p *Pool) dialMore() {
	if p.dialling || p.closed {
		return
	}
	serving, now := p.serving(), time.Now()
	if serving > 0 && !p.mayAdd() {
		return
	}
	if serving == 0 && p.person {
		if len(p.waiting) == 0 {
			return // nobody to ask
		}
		if at := p.silentSince().Add(asksAgain); at.After(p.next) {
			p.next = at
		}
	}
	if len(p.waiting) == 0 && p.hopeless {
		return
	}
	if now.Before(p.next) {
		p.wake(p.next.Sub(now))
		return
	}
	p.dialling = true
	var asks prompt.Prompter = prompt.Nobody{}
	if serving == 0 && len(p.waiting) > 0 {
		asks = p.cfg.Asks
	}
	p.cfg.Log.Info("connecting", "host", p.cfg.Host, "links", len(p.members), "waiting", len(p.waiting))
	p.running.Go(func() { p.redial(asks) })
}

// silentSince is since when the youngest suspect has been one; the zero time
// where there is none.
func (p *Pool) silentSince() (t time.Time) {
	for _, m := range p.members {
		if m.suspect && m.since.After(t) {
			t = m.since
		}
	}
	return t
}

// wake places again after a while; the lock is held.
func (p *Pool) wake(after time.Duration) {
	if p.alarm != nil {
		p.alarm.Stop()
	}
	p.alarm = time.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.place()
	})
}

func (p *Pool) redial(asks prompt.Prompter) {
	m, err := p.dial(p.ctx, asks)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialling = false
	if err == nil {
		p.join(m)
	} else if !p.closed {
		p.failed(err)
	}
	p.place()
}

// dial makes a link and notes whether a person had to be asked for it.
func (p *Pool) dial(ctx context.Context, asks prompt.Prompter) (*member, error) {
	m := &member{}
	noted := &noting{Prompter: asks}
	call := Call{Asks: noted, Busy: func() func() { return p.busy(m) }}
	_, nobody := asks.(prompt.Nobody)
	if nobody {
		call.Asks = asks
	}
	p.mu.Lock()
	call.Again = p.known
	p.mu.Unlock()
	var err error
	if m.link, err = p.cfg.Dial(ctx, call); err != nil {
		noted.settle()
		p.mu.Lock()
		p.bothered = noted.asked.Load()
		p.mu.Unlock()
	} else if !nobody {
		p.mu.Lock()
		p.person = noted.asked.Load()
		p.mu.Unlock()
	}
	return m, err
}

// noting is a Prompter that notes whether anybody was needed.
type noting struct {
	prompt.Prompter
	asked atomic.Bool
	open  sync.RWMutex // for reading while a question is asked
}

// settle waits until no question is open any more. A dial that is called off may
// return before the terminal on which it asked is set back, and whoever called it
// off may be about to end the process.
func (n *noting) settle() {
	n.open.Lock()
	defer n.open.Unlock()
}

// Prompt asks, and notes that it was answered.
func (n *noting) Prompt(ctx context.Context, q prompt.Question) (string, error) {
	n.open.RLock()
	defer n.open.RUnlock()
	answer, err := n.Prompter.Prompt(ctx, q)
	if err == nil {
		n.asked.Store(true)
	}
	return answer, err
}

// Check says whether anybody could be asked.
func (n *noting) Check() error { return prompt.Check(n.Prompter) }

// Notify shows something, such as that a token waits to be touched.
func (n *noting) Notify(ctx context.Context, text string) (done func()) {
	n.asked.Store(true)
	done, _ = prompt.Notify(ctx, n.Prompter, text)
	return done
}

// failed deals with a dial that failed; the lock is held.
func (p *Pool) failed(err error) {
	switch {
	case p.serving() > 0:
		p.cfg.Log.Info("no further connection: "+err.Error(), "host", p.cfg.Host)
		p.person = p.person || lasting(err)
		p.enough = time.Now().Add(noMore)
		for _, w := range p.waiting {
			w.settled = true
		}
	case p.known && (!lasting(err) || p.hungUp(err)):
		p.trouble = err
		p.cfg.Log.Info("not connected: "+err.Error(), "host", p.cfg.Host, "again in", p.pause)
		longest := lastPause
		if len(p.waiting) == 0 {
			longest = lonelyPause
		}
		p.next = time.Now().Add(p.pause)
		p.pause = min(2*p.pause, longest)
	default:
		p.trouble = err
		p.hopeless = true
		p.failAll(err)
	}
}

// lasting says whether a dial failed for a reason that trying again does not
// change: the host was reached and did not let us in, or we do not trust it.
func lasting(err error) bool {
	var failed *upstream.DialError
	if !errors.As(err, &failed) {
		return false
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, syscall.ECONNRESET) {
		return false
	}
	switch failed.Stage {
	case upstream.Configured, upstream.Verified, upstream.Authenticated:
		return true
	}
	return false
}

// maxHangups is how often in a row a login may be repeated that the host has broken
// off.
const maxHangups = 3

// hungUp says whether the host broke the login off without a word, as one does
// that is just being restarted: then it is worth another one. Some do so where
// they mean no, too, which is why there is a bound, and nobody is asked twice. The
// lock is held.
func (p *Pool) hungUp(err error) bool {
	if !errors.Is(err, io.EOF) || p.bothered {
		return false
	}
	p.hangups++
	return p.hangups <= maxHangups
}

// failAll fails everybody who waits; the lock is held.
func (p *Pool) failAll(err error) {
	for _, w := range p.waiting {
		w.fail(err)
	}
	clear(p.waiting)
	p.waiting = p.waiting[:0]
}
