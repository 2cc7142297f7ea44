package sshtest

import "sync"

// policy says which of the client's wishes are refused and which answers are held back. The key is the name of a channel
// type, a channel request or a global request; the protocol's names do not collide.
type policy struct {
	mu      sync.Mutex
	refused map[string]bool
	held    map[string]chan struct{} // closed at release
}

func newPolicy() *policy {
	return &policy{refused: map[string]bool{}, held: map[string]chan struct{}{}}
}

// Refuse makes the server say no from now on to these channel types, channel requests and global requests.
func (s *Server) Refuse(names ...string) { s.policy.set(names, true) }

// Accept takes back Refuse.
func (s *Server) Accept(names ...string) { s.policy.set(names, false) }

func (p *policy) set(names []string, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		p.refused[name] = refused
	}
}

// Hold keeps back the answers to this channel type, channel request or global request, and, because answers must stay in
// order, all later ones on the same channel or connection. The event is recorded at once. The function returned lets
// the answers go; it may be called twice.
func (s *Server) Hold(name string) (release func()) {
	gate := make(chan struct{})
	s.policy.mu.Lock()
	defer s.policy.mu.Unlock()
	s.policy.held[name] = gate
	return sync.OnceFunc(func() {
		s.policy.mu.Lock()
		defer s.policy.mu.Unlock()
		if s.policy.held[name] == gate {
			delete(s.policy.held, name)
		}
		close(gate)
	})
}

// of returns whether name is refused now, and the gate before its answer, nil when there is none.
func (p *policy) of(name string) (refused bool, gate <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held, ok := p.held[name]; ok {
		gate = held
	}
	return p.refused[name], gate
}
