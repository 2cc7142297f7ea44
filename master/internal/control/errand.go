package control

import (
	"cmp"
	"slices"
	"time"
)

// A Kind is what a slave can come for and stay.
type Kind int

// The kinds of errands.
const (
	Passenger Kind = iota + 1 // NEW_SESSION
	Stream                    // NEW_STDIO_FWD
	Proxied                   // PROXY
)

// An Errand is what one slave has come for: a session, a stream or PROXY mode.
// Slaves that only ask something are on none.
type Errand struct {
	Number int // of the control connection in the list of channels
	PID    int // the slave's process, 0 where the system does not tell
	Kind   Kind

	// Command is what the host is to run, of a [Passenger]; Subsystem takes it for
	// the name of one. Of a [Stream] it is where that goes.
	Command   string
	Subsystem bool

	TTY     bool
	Waiting bool // there is no channel for it yet
	Since   time.Time
	In, Out uint64 // bytes from the host and to it
}

// Errands lists what slaves have come for, in that order.
func (s *Server) Errands() []Errand {
	s.mu.Lock()
	slaves := make([]*slave, 0, len(s.slaves))
	for v := range s.slaves {
		slaves = append(slaves, v)
	}
	s.mu.Unlock()
	var all []Errand
	for _, v := range slaves {
		if e, ok := v.onErrand(); ok {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Errand) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// comeFor notes what the slave wants, before that is waited for.
func (v *slave) comeFor(e Errand) {
	e.Number, e.Since, e.Waiting = v.number, time.Now(), true
	v.mu.Lock()
	defer v.mu.Unlock()
	v.errand = e
}

// onErrand is what the slave has come for as it stands now, if for anything.
func (v *slave) onErrand() (e Errand, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.errand.Kind == 0 {
		return Errand{}, false
	}
	e = v.errand
	e.PID = peerPID(v.conn)
	switch {
	case v.passenger != nil:
		e.Waiting = false
		e.In, e.Out = v.passenger.Moved()
	case v.proxied != nil:
		e.Waiting = false
		e.In, e.Out = v.proxied.Load()
	}
	return e, true
}
