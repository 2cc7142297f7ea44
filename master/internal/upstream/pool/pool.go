package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sshmaster/master/internal/upstream/prompt"
)

// ErrClosed is why nothing can be had of a pool that was closed.
var ErrClosed = errors.New("the master is ending")

// A Pool holds the links of one master. Its methods may be called from any
// goroutine.
type Pool struct {
	cfg Config
	ctx context.Context // ends with the pool
	end context.CancelFunc

	running sync.WaitGroup // counts the pool's own goroutines

	mu      sync.Mutex
	members []*member // oldest first
	home    *member
	former  Link      // the home before, should it live on
	waiting []*waiter // who wants a seat, in order of arrival
	joined  int       // how many members there have been
	known   bool      // there was one since the last rest: the host is there
	limit   int       // sessions that the host allows on a link; 0: not known
	most    int       // sessions that were open on a link at once, at most
	moved   time.Time // when somebody last got a seat or gave one back
	closed  bool

	dialling bool
	person   bool      // a login needed a person
	enough   time.Time // until when no further links are tried
	pause    time.Duration
	next     time.Time   // when to dial again
	alarm    *time.Timer // for next
	hopeless bool        // the last dial failed for good: only somebody who waits makes it worth another one
	trouble  error       // why the last dial failed, or the last link ended
	bothered bool        // the last dial that failed had asked somebody
	hangups  int         // how many in a row the host broke off
}

// New returns a pool without links.
func New(cfg Config) *Pool {
	ctx, end := context.WithCancel(context.Background())
	return &Pool{cfg: cfg.complete(), ctx: ctx, end: end, pause: firstPause}
}

// Connect dials the first link, and may ask whom Asks knows of. Its error is the
// dial's.
func (p *Pool) Connect(ctx context.Context) error {
	p.mu.Lock()
	p.dialling = true
	p.mu.Unlock()
	m, err := p.dial(ctx, p.cfg.Asks)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialling = false
	if err != nil {
		return err
	}
	p.join(m)
	return nil
}

// join makes a link a member; the lock is held. After the pool's end it is
// closed at once.
func (p *Pool) join(m *member) {
	if p.closed {
		p.running.Go(func() { _ = m.link.Close() })
		return
	}
	p.joined++
	p.known, p.hangups = true, 0
	m.number = p.joined
	p.members = append(p.members, m)
	p.trouble, p.hopeless, p.pause, p.next = nil, false, firstPause, time.Time{}
	p.cfg.Log.Info("link up", "host", p.cfg.Host, "link", m.number)
	p.running.Go(func() { p.attend(m) })
	p.elect()
}

// attend waits for a member's end.
func (p *Pool) attend(m *member) {
	p.running.Go(func() { p.measure(m) })
	<-m.link.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members = slices.DeleteFunc(p.members, func(other *member) bool { return other == m })
	m.stopTimer()
	if p.home == m {
		p.home = nil
	}
	if p.closed {
		return
	}
	cause := m.link.Err()
	if m.leaving {
		p.cfg.Log.Debug("link closed", "link", m.number)
	} else {
		p.trouble = cause
		p.cfg.Log.Warn(cause.Error(), "link", m.number, "sessions", m.sessions)
	}
	p.elect()
	p.place()
}

// measure measures a new member's round trip.
func (p *Pool) measure(m *member) {
	if _, err := m.link.Ping(p.ctx); err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !m.used.IsZero() {
		p.refill(m)
	}
}

// elect chooses a home where there is none; the lock is held.
func (p *Pool) elect() {
	if p.home != nil {
		return
	}
	for _, m := range p.members {
		if !m.retired && !m.suspect {
			p.home = m
			former := p.former
			p.former = nil
			p.running.Go(func() { p.cfg.Home(former) })
			return
		}
	}
}

// Close closes all links and fails everybody who waits. It returns when nothing
// of the pool runs any more.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.end()
	if p.alarm != nil {
		p.alarm.Stop()
	}
	members := slices.Clone(p.members)
	p.failAll(ErrClosed)
	p.mu.Unlock()
	var closing sync.WaitGroup
	for _, m := range members {
		closing.Go(func() { _ = m.link.Close() })
	}
	closing.Wait()
	p.running.Wait()
}

// Unsafe says whether the host showed a key that had changed, on any link.
func (p *Pool) Unsafe() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.members, func(m *member) bool { return m.link.Unsafe() })
}

// Rotate has new channels use a fresh link from now on; what runs goes on where
// it is. Where a login can be had without a person it is made now, and the old
// links serve on if it fails. Otherwise the next session logs in.
func (p *Pool) Rotate(ctx context.Context) (text string, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return "", ErrClosed
	}
	p.running.Add(1)
	defer p.running.Done()
	person, old := p.person, slices.Clone(p.members)
	p.mu.Unlock()
	if !person && len(old) > 0 {
		m, err := p.dial(ctx, prompt.Nobody{})
		if err != nil {
			return "", fmt.Errorf("the old connection serves on, for there is no new one: %w", err)
		}
		p.mu.Lock()
		p.join(m)
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range old {
		p.retire(m)
	}
	p.elect()
	p.place()
	if person || len(old) == 0 {
		return "the next session logs in anew", nil
	}
	return "new sessions use a new connection", nil
}

// retire gives a member no new channels; the lock is held.
func (p *Pool) retire(m *member) {
	m.retired = true
	if p.home == m {
		p.home, p.former = nil, m.link
	}
	p.vacate(m)
}
