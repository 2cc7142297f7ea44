package upstream

import (
	"context"
	"errors"
	"sync"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream/prompt"
)

// Links is the set of links that one process holds, in which every [Dial] that
// has to pass a jump host finds a link to it. Two hosts share their way where
// it is the same user at the same host, by the same jumps, with the same proofs
// and the same trust (LinkKey of package hostconfig).
//
//	absent ──Dial or a jump──▶ dialling ──▶ up ──its end──▶ absent
//	  ▲                           │          │
//	  └───────── failed ──────────┘          └─ last jump gone, no owner: closed
//
// One of those who want the same link dials it and is asked what there is to
// ask; the others wait. A link that was dialled for jumps alone is closed with
// the last of them. A link with an owner, who has it from [Links.Dial], is the
// owner's to close: then the jumps over it end too, as those of `ssh -W` end
// with their master.
type Links struct {
	// Jumped is called at each jump over a link that has no owner, and must not
	// wait. The link stays until done is called. Nil does nothing. It is set before
	// the first dial.
	Jumped func(hop *hostconfig.Host, done func())

	mu   sync.Mutex
	held map[string]*held // by what makes links the same
	told map[string]bool  // warnings about jump hosts
}

// NewLinks returns an empty set.
func NewLinks() *Links { return &Links{held: make(map[string]*held), told: make(map[string]bool)} }

// Dial is the function [Dial] for a host to which others may jump over the same
// link. A link that was dialled for jumps and has no owner is taken over, with
// o.Channels, and nobody authenticates once more. The caller closes the link.
func (s *Links) Dial(ctx context.Context, o Options) (*Link, error) {
	o.Links = s
	o, err := o.ready(ctx)
	if err != nil {
		return nil, err
	}
	h, err := s.join(ctx, o)
	var failed *DialError
	switch {
	case errors.As(err, &failed):
		return nil, failed
	case err != nil: // called off while somebody else dialled
		return nil, &DialError{Reached, (&dialer{Options: o}).unreachable(err), err}
	}
	defer h.leave()
	if h.own(o) {
		return h.link, nil
	}
	return Dial(ctx, o) // it has an owner
}

// join waits for the link to o's host, or dials it. Who joins has to leave. A
// dial that failed because of who dialled, not because of the host, is taken up
// by the next who waits.
func (s *Links) join(ctx context.Context, o Options) (*held, error) {
	for {
		h, first := s.find(o.key())
		if first {
			link, err := Dial(ctx, o)
			h.settle(link, err, ctx.Err() != nil || o.nobody() && needsSomebody(err))
		}
		select {
		case <-h.ready:
		case <-ctx.Done():
			h.leave()
			return nil, context.Cause(ctx)
		}
		if h.err == nil {
			return h, nil
		}
		h.leave()
		if first || !h.givenUp || o.nobody() && needsSomebody(h.err) {
			return nil, h.err
		}
	}
}

// nobody says whether there is nobody to ask.
func (o Options) nobody() bool {
	return prompt.Check(o.Prompter) != nil
}

// needsSomebody says whether a person's answer could have helped.
func needsSomebody(err error) bool {
	var failed *DialError
	return errors.As(err, &failed) && failed.Stage >= Verified
}

// find returns the link of that key with one user more, and whether that one
// has to dial it. It also forgets links that have ended.
func (s *Links) find(key string) (h *held, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, h := range s.held {
		if h.ended() {
			delete(s.held, k)
		}
	}
	h = s.held[key]
	if first = h == nil; first {
		h = &held{set: s, key: key, ready: make(chan struct{})}
		s.held[key] = h
	}
	h.enter()
	return h, first
}

// Has says whether there is a link to o's host, or somebody dials one.
func (s *Links) Has(ctx context.Context, o Options) bool {
	o, err := o.ready(ctx)
	return err == nil && s.has(o.key())
}

// untold says whether a warning has yet to be given.
func (s *Links) untold(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.told[text]
	s.told[text] = true
	return first
}

// has says whether a link of that key is up or being dialled.
func (s *Links) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[key]
	return h != nil && !h.ended()
}
