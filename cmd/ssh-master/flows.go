package main

import (
	"time"

	"sshmaster/master"
)

// A flow is what one host or session moves, each way.
type flow struct{ in, out history }

// rate orders flows.
func (f *flow) rate() float64 { return f.in.steady() + f.out.steady() }

// A hostKey, a linkKey and a sessionKey name what is counted.
type (
	hostKey struct{ control string }
	linkKey struct {
		host   hostKey
		number int
	}
	sessionKey struct {
		host   hostKey
		number int
		since  time.Time
	}
)

func keyOf(m master.Status) hostKey { return hostKey{m.Control} }

func (h hostKey) session(s master.SessionStatus) sessionKey {
	return sessionKey{h, s.Number, s.Since.UTC()}
}

// flows makes rates of what masters have counted: by looking at them again and
// again.
type flows struct {
	at     time.Time // of the last look; the zero time before any
	counts map[any]count
	byKey  map[any]*flow
}

// A count is bytes in and out so far.
type count struct{ in, out uint64 }

// look takes note of masters as they are at a time. What is there no more is
// forgotten.
func (f *flows) look(masters []master.Status, at time.Time) {
	next := flows{at: at, counts: make(map[any]count), byKey: make(map[any]*flow)}
	for _, m := range masters {
		host := keyOf(m)
		var moved count
		for _, l := range m.Links {
			d := f.since(&next, linkKey{host, l.Number}, count{l.BytesIn, l.BytesOut})
			moved.in, moved.out = moved.in+d.in, moved.out+d.out
		}
		f.carryOn(&next, host, moved)
		for _, s := range m.Sessions {
			key := host.session(s)
			f.carryOn(&next, key, f.since(&next, key, count{s.BytesIn, s.BytesOut}))
		}
	}
	*f = next
}

// since is what was counted since the last look, which for what was not there then
// is all. Of the time before the first look nothing is known.
func (f *flows) since(next *flows, key any, now count) count {
	next.counts[key] = now
	before, known := f.counts[key]
	if f.at.IsZero() || known && (now.in < before.in || now.out < before.out) {
		return count{}
	}
	return count{now.in - before.in, now.out - before.out}
}

// carryOn adds to a flow's history.
func (f *flows) carryOn(next *flows, key any, moved count) {
	flow := f.of(key)
	if elapsed := next.at.Sub(f.at).Seconds(); !f.at.IsZero() && elapsed > 0 {
		flow.in.add(float64(moved.in) / elapsed)
		flow.out.add(float64(moved.out) / elapsed)
	}
	next.byKey[key] = flow
}

// of is the flow of a key: an empty one for what was never seen.
func (f *flows) of(key any) *flow {
	if known := f.byKey[key]; known != nil {
		return known
	}
	return new(flow)
}
