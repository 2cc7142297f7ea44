package stocklink

import (
	"context"
	"fmt"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream"
)

// opened is what the library made of an open.
type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// OpenChannel opens a channel of type name (RFC 4254 section 5.1) at the host;
// extra is the type's own data. It returns when the host answered, when ctx ended
// or when the link did. A refusal of the host's is a *ssh.OpenChannelError. An
// open that is confirmed after its context ended is closed again at once.
//
// The caller owns the channel and has to read both of its streams and the
// requests until they end.
func (l *Link) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	if err := l.ready(ctx); err != nil {
		return nil, nil, fmt.Errorf("open %s channel: %w", name, err)
	}
	answer, abandoned := make(chan opened), make(chan struct{})
	defer close(abandoned)
	go l.open(name, extra, answer, abandoned)
	select {
	case o := <-answer:
		if err := l.end(o.err); err != o.err {
			return nil, nil, fmt.Errorf("open %s channel: %w", name, err)
		}
		return o.ch, o.reqs, o.err
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("open %s channel: %w", name, context.Cause(ctx))
	case <-l.done:
		return nil, nil, fmt.Errorf("open %s channel: %w", name, l.err)
	}
}

// open opens a channel and hands it over, or closes it when nobody waits for it
// any more. The open itself cannot be taken back.
func (l *Link) open(name string, extra []byte, answer chan<- opened, abandoned <-chan struct{}) {
	ch, reqs, err := l.conn.OpenChannel(name, extra)
	select {
	case answer <- opened{ch, reqs, err}:
	case <-abandoned:
		if err == nil {
			upstream.Discard(ch, reqs)
		}
	}
}
