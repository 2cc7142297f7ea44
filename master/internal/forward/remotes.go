package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

var (
	// ErrRefused says that the host does not listen where it was asked to.
	ErrRefused = errors.New("forward: refused by the host")

	// ErrTaken says that the host already listens there for this master.
	ErrTaken = errors.New("forward: already listened on for this master")
)

// An At is where the host is asked to listen: a host as it is sent and a port,
// of which 0 leaves the choice to the host, or with Path a unix socket.
type At struct {
	Host string
	Port uint32
	Path string
}

// String names the place in a log.
func (a At) String() string {
	if a.Path != "" {
		return clean(a.Path)
	}
	return clean(fmt.Sprintf("[%s]:%d", a.Host, a.Port))
}

// Remotes is the table of what the host listens on for this master, and who gets
// the connections: forwards of the registry and those of proxy slaves. Its
// methods may be called from any goroutine.
//
//	asked ──granted──▶ listening ──link lost, Renew──▶ asked again ──▶ listening
//	  └──refused──▶ gone                 └──Cancel──▶ gone
type Remotes struct {
	to    Requester
	log   *slog.Logger
	retry time.Duration

	mu       sync.Mutex
	all      []*remote
	links    int           // how often the link changed
	choosing int           // requests that leave the port to the host, unanswered
	chosen   chan struct{} // closed, and made anew, when one of them is answered
}

// A remote is one place where the host listens or shall listen.
type remote struct {
	accept func(ssh.NewChannel)

	// The fields below are under the table's lock.
	at      At     // as its owner knows it, with the port that it was told
	choice  bool   // its port was the host's choice
	port    uint32 // where the host listens on the link of the moment
	granted int    // number of the link on which the host listens; -1: not yet
	gone    bool   // not wanted any more
}

func newRemotes(cfg Config) *Remotes {
	return &Remotes{to: cfg.Requester, log: cfg.Log, retry: cfg.RetryTime, chosen: make(chan struct{})}
}

// Listen has the host listen, and accept called for each connection, on a
// goroutine of its own: it has to accept or reject the channel. Port is where the
// host listens. Errors are [ErrTaken], [ErrRefused], the link's and ctx's; when
// ctx ends first, the host is told to stop should it grant the request later.
func (r *Remotes) Listen(ctx context.Context, at At, accept func(ssh.NewChannel)) (port uint32, err error) {
	m, err := r.add(at, accept)
	if err != nil {
		return 0, err
	}
	var granted uint32
	var refused error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		background := context.WithoutCancel(ctx)
		granted, refused = r.ask(background, at)
		r.settle(background, m, granted, refused)
	}()
	select {
	case <-answered:
		return granted, refused
	case <-ctx.Done():
		r.drop(context.WithoutCancel(ctx), m)
		return 0, context.Cause(ctx)
	}
}

// known is the place as the owner knows it.
func (m *remote) known(r *Remotes) At {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.at
}

// add puts a place in the table before the host is asked, because its first
// connection may come before its answer was read.
func (r *Remotes) add(at At, accept func(ssh.NewChannel)) (*remote, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	choice := at.Path == "" && at.Port == 0
	if !choice && r.find(at) != nil {
		return nil, fmt.Errorf("%w: %s", ErrTaken, at)
	}
	m := &remote{accept: accept, at: at, choice: choice, port: at.Port, granted: -1}
	r.all = append(r.all, m)
	if choice {
		r.choosing++
	}
	return m, nil
}

// find returns what listens at a place as its owner knows it. The caller holds
// the lock.
func (r *Remotes) find(at At) *remote {
	for _, m := range r.all {
		if m.at == at && (!m.choice || at.Port != 0) {
			return m
		}
	}
	return nil
}

// settle notes the host's answer to a first request.
func (r *Remotes) settle(ctx context.Context, m *remote, port uint32, err error) {
	r.mu.Lock()
	if m.choice {
		defer r.answered()
	}
	if err != nil {
		r.remove(m)
		r.mu.Unlock()
		return
	}
	m.port, m.granted = port, r.links
	if m.choice {
		m.at.Port = port
	}
	gone := m.gone
	r.mu.Unlock()
	if gone {
		r.unask(ctx, m)
	}
}

// answered tells those who wait for a port to become known.
func (r *Remotes) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.choosing--
	close(r.chosen)
	r.chosen = make(chan struct{})
}

// remove takes m out of the table; the caller holds the lock.
func (r *Remotes) remove(m *remote) {
	m.gone = true
	r.all = slices.DeleteFunc(r.all, func(other *remote) bool { return other == m })
}

// drop removes m and tells the host, if it listens.
func (r *Remotes) drop(ctx context.Context, m *remote) {
	r.mu.Lock()
	listens := !m.gone && m.granted == r.links
	r.remove(m)
	r.mu.Unlock()
	if listens {
		r.unask(ctx, m)
	}
}

// Cancel has the host stop listening at a place, named with the port that Listen
// returned. The host is not asked for an answer, as in OpenSSH. The error is
// [ErrNotForwarded] when there is nothing to cancel.
func (r *Remotes) Cancel(ctx context.Context, at At) error {
	r.mu.Lock()
	m := r.find(at)
	r.mu.Unlock()
	if m == nil {
		return ErrNotForwarded
	}
	r.drop(ctx, m)
	return nil
}

// port is where the host listens for a place as its owner knows it, or 0.
func (r *Remotes) port(at At) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.find(at); m != nil {
		return m.port
	}
	return 0
}

// listening says whether the host listens there on the link of the moment.
func (r *Remotes) listening(at At) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.find(at)
	return m != nil && m.granted == r.links
}
