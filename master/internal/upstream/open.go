package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/crew"
)

// opened is what the library made of an open.
type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// OpenChannel opens a channel of type name (RFC 4254 section 5.1); extra is the
// type's own data.
//
// It returns when the server answered, when ctx ended or when the link did. A
// refusal of the server's is a *ssh.OpenChannelError. An open that the server
// confirms after its context ended is closed again at once.
//
// The caller owns the channel and has to read both of its streams and the
// requests until they end: a channel nobody reads stops itself, and requests
// nobody reads stop the link.
func (l *Link) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	if err := l.ready(ctx); err != nil {
		return nil, nil, fmt.Errorf("open %s channel: %w", name, err)
	}
	answer, abandoned := make(chan opened), make(chan struct{})
	defer close(abandoned)
	crew.Go(func() { l.open(name, extra, answer, abandoned) })
	select {
	case o := <-answer:
		return o.ch, o.reqs, l.explain("open "+name+" channel", o.err)
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("open %s channel: %w", name, context.Cause(ctx))
	case <-l.done:
		return nil, nil, fmt.Errorf("open %s channel: %w", name, l.err)
	}
}

// open opens a channel and hands it over, or throws it away when nobody waits
// for it any more.
func (l *Link) open(name string, extra []byte, answer chan<- opened, abandoned <-chan struct{}) {
	ch, reqs, err := l.conn.OpenChannel(name, extra)
	select {
	case answer <- opened{ch, reqs, err}:
	case <-abandoned:
		if err == nil {
			Discard(ch, reqs)
		}
	}
}

// Discard closes a channel that nobody wants and reads it until the server has
// closed it too, or the link has ended.
func Discard(ch ssh.Channel, reqs <-chan *ssh.Request) {
	_ = ch.Close()
	go ssh.DiscardRequests(reqs)
	go func() { _, _ = io.Copy(io.Discard, ch.Stderr()) }()
	_, _ = io.Copy(io.Discard, ch)
}

// ready says whether there is any use in asking the server something.
func (l *Link) ready(ctx context.Context) error {
	if err := l.Err(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// explain turns an error of the library into one that says what happened. Only
// a refusal is an answer of the server's; whatever else the library says, as in
// "unexpected packet in response to channel open: <nil>", it says because the
// connection is ending, and the link's end is the reason to give.
func (l *Link) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return refused
	}
	select {
	case <-l.done:
		return fmt.Errorf("%s: %w", what, l.err)
	case <-time.After(burial):
		return fmt.Errorf("%s: %w", what, l.lost(err))
	}
}
