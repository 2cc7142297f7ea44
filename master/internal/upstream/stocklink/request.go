package stocklink

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Global requests: RFC 4254 section 7.1, OpenSSH's PROTOCOL section 2.4.
const (
	listenTCP  = "tcpip-forward"
	cancelTCP  = "cancel-tcpip-forward"
	listenUnix = "streamlocal-forward@openssh.com"
	cancelUnix = "cancel-streamlocal-forward@openssh.com"
	keepalive  = "keepalive@openssh.com"
)

type tcpPlace struct {
	Host string
	Port uint32
}

type unixPlace struct{ Path string }

// answered is what became of a global request.
type answered struct {
	ok      bool
	payload []byte
	err     error
}

// SendRequest does what a global request (RFC 4254 section 4) asks for, with the
// answer that the host gave to ssh. Remote forwards can be asked for, and
// keepalives, which say that ssh lives: whether the host does is ssh's to watch
// (ServerAliveInterval). Others are refused here, because none may be sent.
//
// It returns when there is an answer, when ctx ended or when the link did. A
// request goes on when ctx has ended.
func (l *Link) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if err := l.ready(ctx); err != nil {
		return false, nil, fmt.Errorf("request %s: %w", name, err)
	}
	answer := make(chan answered, 1)
	begin, done := l.turns.take()
	go func() {
		defer done()
		begin()
		ok, reply, err := l.request(name, payload)
		answer <- answered{ok, reply, l.end(err)}
	}()
	if !wantReply {
		return false, nil, nil
	}
	select {
	case a := <-answer:
		if a.err != nil {
			return false, nil, fmt.Errorf("request %s: %w", name, a.err)
		}
		return a.ok, a.payload, nil
	case <-ctx.Done():
		return false, nil, fmt.Errorf("request %s: %w", name, context.Cause(ctx))
	case <-l.done:
		return false, nil, fmt.Errorf("request %s: %w", name, l.err)
	}
}

// request does it, without an end but the link's: to give up waiting for an
// answer would break the connection for all that follow.
func (l *Link) request(name string, payload []byte) (bool, []byte, error) {
	switch name {
	case listenTCP, cancelTCP:
		var p tcpPlace
		if ssh.Unmarshal(payload, &p) != nil {
			return false, nil, nil
		}
		if name == cancelTCP {
			return l.unlisten(place{host: p.Host, port: p.Port})
		}
		return l.listen(place{host: p.Host, port: p.Port})
	case listenUnix, cancelUnix:
		var p unixPlace
		if ssh.Unmarshal(payload, &p) != nil {
			return false, nil, nil
		}
		if name == cancelUnix {
			return l.unlisten(place{path: p.Path})
		}
		return l.listen(place{path: p.Path})
	case keepalive:
		_, err := l.Ping(context.Background())
		return false, nil, err // as a host answers
	}
	l.log.Debug("a link by stock ssh has no such request", "name", clean(name))
	return false, nil, nil
}

// Turns keep requests in the order in which they were made, as a connection does.
type turns struct {
	mu   sync.Mutex
	last chan struct{} // closed when the last request that took a turn is done
}

// take takes the next turn: begin waits for it, done ends it.
func (t *turns) take() (begin, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, mine := t.last, make(chan struct{})
	t.last = mine
	return func() {
		if before != nil {
			<-before
		}
	}, func() { close(mine) }
}

// Ping asks ssh whether it lives and returns how long it took to answer. Nothing
// is sent to the host.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	if err := l.ready(ctx); err != nil {
		return 0, err
	}
	began := time.Now()
	answer := make(chan error, 1)
	go func() {
		_, err := l.client.Alive(context.Background())
		answer <- l.end(err)
	}()
	select {
	case err := <-answer:
		return time.Since(began), err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-l.done:
		return 0, l.err
	}
}
