package upstream

import (
	"context"
	"fmt"
)

// answered is what the library made of a global request.
type answered struct {
	ok      bool
	payload []byte
	err     error
}

// SendRequest sends a global request (RFC 4254 section 4). With wantReply it
// returns whether the server granted it and what came with the answer.
//
// It returns when the server answered, when ctx ended or when the link did.
// Requests that want a reply are sent one after the other: behind one that the
// server leaves open all others wait. A server that is known to answer none is
// not asked: it has refused.
func (l *Link) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if err := l.ready(ctx); err != nil {
		return false, nil, fmt.Errorf("request %s: %w", name, err)
	}
	if !l.answersGlobals() {
		return false, nil, nil
	}
	answer := make(chan answered, 1)
	go func() {
		ok, reply, err := l.conn.SendRequest(name, wantReply, payload)
		answer <- answered{ok, reply, err}
	}()
	select {
	case a := <-answer:
		return a.ok, a.payload, l.explain("request "+name, a.err)
	case <-ctx.Done():
		return false, nil, fmt.Errorf("request %s: %w", name, context.Cause(ctx))
	case <-l.done:
		return false, nil, fmt.Errorf("request %s: %w", name, l.err)
	}
}
