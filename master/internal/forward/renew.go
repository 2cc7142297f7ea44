package forward

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keepPort is how often Renew asks for the port that the host chose before, if
// it refuses; then it lets the host choose anew.
const keepPort = 3

// errSuperseded ends a Renew when the next one has begun.
var errSuperseded = errors.New("forward: the link has changed again")

// Renew has the host listen again for everything in the table, on a new link. It
// is called as soon as the [Requester] uses that link, and returns nil when the
// host listens for all. What it refuses, as long as it has not noticed the end of
// the old link perhaps, is asked for again with growing pauses, until ctx ends,
// the link is lost, or Renew is called for the next link. A port that the host
// chose is asked for by number first.
func (r *Remotes) Renew(ctx context.Context) error {
	link := r.nextLink()
	pause := r.retry
	for round := 1; ; round++ {
		err := r.renewAll(ctx, link, round)
		if err == nil || !errors.Is(err, ErrRefused) {
			return err
		}
		if round == 1 {
			r.log.Warn("the host does not listen again yet for all remote forwards", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
		pause = min(2*pause, maxRetryTime)
	}
}

// Wanted says whether the host is to listen anywhere.
func (r *Remotes) Wanted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all) > 0
}

// Withdraw has the host stop listening on a link that lives on while another one
// takes its place, so that the places are free there. It is called before
// [Remotes.Renew]; connections live on.
func (r *Remotes) Withdraw(ctx context.Context, from Requester) {
	r.mu.Lock()
	var granted []*remote
	for _, m := range r.all {
		if m.granted == r.links {
			granted = append(granted, m)
		}
	}
	r.mu.Unlock()
	for _, m := range granted {
		r.tellOff(ctx, from, m)
	}
}

// nextLink makes everything in the table something to be asked for.
func (r *Remotes) nextLink() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links++
	return r.links
}

// renewAll asks once for each place that the host does not listen on, and
// returns the refusals. Another error means that the link is no good.
func (r *Remotes) renewAll(ctx context.Context, link, round int) error {
	lost, err := r.lost(link)
	if err != nil {
		return err
	}
	var refusals failures
	for _, m := range lost {
		err := r.renew(ctx, m, link, round > keepPort)
		switch {
		case errors.Is(err, ErrRefused):
			refusals = append(refusals, fmt.Errorf("%s: %w", m.known(r), err))
		case err != nil:
			return err
		}
	}
	if len(refusals) == 0 {
		return nil
	}
	return refusals
}

// lost is what the host granted on an earlier link and not on this one.
func (r *Remotes) lost(link int) ([]*remote, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links != link {
		return nil, errSuperseded
	}
	var lost []*remote
	for _, m := range r.all {
		if m.granted >= 0 && m.granted != link {
			lost = append(lost, m)
		}
	}
	return lost, nil
}

// renew asks for one place.
func (r *Remotes) renew(ctx context.Context, m *remote, link int, anyPort bool) error {
	r.mu.Lock()
	at := m.at
	if choose := m.choice && anyPort; choose {
		at.Port = 0
		r.choosing++
	} else if at.Path == "" {
		at.Port = m.port
	}
	r.mu.Unlock()
	port, err := r.ask(ctx, at)
	if at.Path == "" && at.Port == 0 {
		defer r.answered()
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	moved := m.port != port
	m.port, m.granted = port, link
	gone := m.gone
	r.mu.Unlock()
	if gone {
		r.unask(ctx, m)
	} else if moved {
		r.log.Warn("the host listens on another port now", "at", at.String(), "port", port)
	}
	return nil
}
