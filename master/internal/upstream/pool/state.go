package pool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sshmaster/master/internal/upstream"
)

// A State describes one link at one moment.
type State struct {
	Number   int
	Link     Link
	Info     upstream.Info
	Sessions int // running, without spares
	Spares   int
	Streams  int
	Home     bool
	Suspect  time.Duration // for how long it has not answered; 0 for not
	Retired  bool
}

// String says what state the link is in, in a few words.
func (s State) String() string {
	var words []string
	if s.Suspect > 0 {
		words = append(words, fmt.Sprintf("no answer for %v", s.Suspect.Round(time.Second)))
	}
	if s.Retired {
		words = append(words, "takes no new sessions")
	}
	if len(words) == 0 {
		return "up"
	}
	return strings.Join(words, ", ")
}

// States describes all links, the oldest first.
func (p *Pool) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []State
	for _, m := range p.members {
		s := State{
			Number: m.number, Link: m.link, Info: m.link.Info(),
			Sessions: m.sessions - len(m.spares) - m.filling, Spares: len(m.spares), Streams: m.streams,
			Home: m == p.home, Retired: m.retired,
		}
		if m.suspect {
			s.Suspect = time.Since(m.since)
		}
		all = append(all, s)
	}
	return all
}

// Absent says why there is no link, and nil while there is one.
func (p *Pool) Absent() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.members) > 0 {
		return nil
	}
	return p.absence()
}

// Connecting says whether a link is being made.
func (p *Pool) Connecting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialling
}

// Trouble is what keeps there from being a link: why the last one ended, or why it
// could not be made. It is nil while there is one, and until one is wanted.
func (p *Pool) Trouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.members) > 0 {
		return nil
	}
	return p.trouble
}

func (p *Pool) absent() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.absence()
}

// absence is why there is no link; the lock is held.
func (p *Pool) absence() error {
	if p.trouble != nil {
		return p.trouble
	}
	return errors.New("not connected to " + p.cfg.Host)
}
