package upstream

import (
	"context"
	"fmt"
	"time"
)

const (
	// stallLimit is how long one write may be stuck before the link is given up
	// where ServerAliveInterval does not ask for more patience. A peer that
	// works takes our bytes within a round trip.
	stallLimit = 3 * time.Minute

	// aliveInterval is how long a server may be silent before it is asked for a
	// sign of life where ServerAliveInterval does not say: stock ssh never asks
	// then, and a link that a firewall has forgotten looks alive for ever.
	aliveInterval = 20 * time.Second

	// drainLimit is how long x/crypto may take to hand on what it had read when
	// the connection broke. It only takes that long when somebody does not read
	// the requests of a channel.
	drainLimit = 5 * time.Second

	// longest keeps sums of configured times from overflowing.
	longest = 365 * 24 * time.Hour
)

// A patience is how long a silent peer is believed to be alive.
type patience struct {
	interval time.Duration // ServerAliveInterval; 0 asks for nothing
	max      int           // ServerAliveCountMax
	stall    time.Duration // bound of one write
}

func newPatience(interval time.Duration, count int, stall time.Duration) patience {
	interval = min(max(interval, 0), longest)
	count = max(count, 0)
	if stall <= 0 {
		stall = stallLimit
		if whole := time.Duration(min(count, 1000)+1) * min(interval, time.Hour); whole > stall {
			stall = whole
		}
	}
	return patience{interval: interval, max: count, stall: stall}
}

// A verdict is what a look at the silence of a peer comes to.
type verdict int

const (
	alive verdict = iota // nothing to do
	ask                  // send a keepalive
	dead                 // give the link up
)

// An alarm counts intervals without a byte from the peer, as ssh(1) does: at
// the end of each it asks, and when more than max questions were left open the
// peer is dead, interval x (max+1) after its last byte.
//
// A process that was stopped meanwhile does not find its peer dead at once: the
// time away counts as one interval.
type alarm struct {
	patience
	mark       time.Duration // the last byte, or the last question
	unanswered int
}

// look judges the peer, of which the last byte came at lastRead.
func (a *alarm) look(now, lastRead time.Duration) verdict {
	if lastRead > a.mark {
		a.mark, a.unanswered = lastRead, 0
	}
	if a.interval == 0 || now < a.mark+a.interval {
		return alive
	}
	a.mark = now
	if a.unanswered++; a.unanswered > a.max {
		return dead
	}
	return ask
}

// next is when to look again.
func (a *alarm) next(now time.Duration) time.Duration {
	wait := max(a.stall/4, time.Millisecond)
	if a.interval > 0 {
		wait = min(wait, a.mark+a.interval-now)
	}
	return max(wait, time.Millisecond)
}

// watch ends the link when the peer shows no sign of life, when a write is
// stuck for too long, and when the connection broke without the library
// noticing. It returns when the link has ended.
func (l *Link) watch(p patience) {
	a := &alarm{patience: p, mark: l.wire.age()}
	timer := time.NewTimer(a.next(a.mark))
	defer timer.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-l.wire.broken:
			l.watchDrain()
			return
		case <-timer.C:
		}
		now := l.wire.age()
		switch a.look(now, time.Duration(l.wire.lastRead.Load())) {
		case ask:
			l.keepalive()
		case dead:
			l.GiveUp()
			return
		case alive:
		}
		if l.wire.stuck() > p.stall {
			l.end(l.unresponsive(fmt.Sprintf("Timeout, server %s not responding: it has accepted no data for %v", l.host, p.stall)))
			return
		}
		timer.Reset(a.next(now))
	}
}

// watchDrain lets the library hand on what had arrived before the connection
// broke, but not for ever.
func (l *Link) watchDrain() {
	timer := time.NewTimer(drainLimit)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.end(l.lost(l.wire.fault()))
	}
}

// keepalive asks the server for a sign of life and does not wait for it. One
// question is open at a time.
func (l *Link) keepalive() {
	if !l.asking.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer l.asking.Store(false)
		_, _ = l.Ping(context.Background())
	}()
}

// Ping asks the server for a sign of life (keepalive@openssh.com) and returns
// how long the answer took. It waits behind other global requests that the
// server has yet to answer.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	var err error
	if l.answersGlobals() {
		_, _, err = l.SendRequest(ctx, "keepalive@openssh.com", true, nil)
	} else {
		err = l.knock(ctx)
	}
	if err != nil {
		return 0, err
	}
	trip := time.Since(began)
	l.roundTrip.Store(int64(trip))
	return trip, nil
}
