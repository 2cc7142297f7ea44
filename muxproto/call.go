package muxproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// call makes one request and reads its answer, of whatever type. The answers
// that say no are errors. The descriptors are lent.
func (c *Client) call(ctx context.Context, op string, request func(id uint32) Message, fds ...int) (Message, error) {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return nil, fmt.Errorf("muxproto: %s: %w", op, context.Cause(ctx))
	}
	defer func() { c.turn <- struct{}{} }()
	if err := c.ready(ctx); err != nil {
		return nil, fmt.Errorf("muxproto: %s: %w", op, err)
	}
	id := c.next
	c.next++
	var reply Message
	err := guard(ctx, c.conn, func() (err error) {
		reply, err = c.exchange(id, request(id), fds)
		return err
	})
	if err != nil {
		return nil, c.broken(op, err)
	}
	switch reply.(type) {
	case *SessionOpened, *ProxyReply:
		c.fail(errTaken) // before it is another caller's turn
	}
	return reply, refusal(op, reply)
}

// ready tells what stands against a request before anything of it was sent.
func (c *Client) ready(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.ended()
}

// exchange sends a request and reads the answer to it.
func (c *Client) exchange(id uint32, request Message, fds []int) (Message, error) {
	if err := c.conn.WriteFDs(request, fds...); err != nil {
		return nil, err
	}
	reply, err := c.conn.ReadReply()
	if err != nil {
		return nil, inExchange(err)
	}
	if theirs, ok := requestID(reply); !ok || theirs != id {
		return nil, malformed("%s does not answer request %d", Describe(reply), id)
	}
	return reply, nil
}

// broken ends a connection on which an exchange went wrong.
func (c *Client) broken(op string, err error) error {
	if ended := c.ended(); ended != nil {
		err = ended // closed by the caller: say that rather than what it led to
	}
	c.fail(errBroken)
	_ = c.conn.Close()
	return fmt.Errorf("muxproto: %s: %w", op, err)
}

// unexpected is a reply of a type that does not answer the request.
func (c *Client) unexpected(op string, reply Message) error {
	c.fail(errBroken)
	_ = c.conn.Close()
	return fmt.Errorf("muxproto: %s: %w", op, malformed("unexpected %s", Describe(reply)))
}

// refusal makes a negative reply an error.
func refusal(op string, reply Message) error {
	switch m := reply.(type) {
	case *Failure:
		return &ReplyError{Op: op, Reason: printable(m.Reason)}
	case *PermissionDenied:
		return &ReplyError{Op: op, Denied: true, Reason: printable(m.Reason)}
	}
	return nil
}

// printable drops from a master's words what could drive a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// inExchange makes the end of the connection an error where an answer is due.
func inExchange(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the master closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// guard runs f, whose reads and writes on conn fail when ctx ends. It returns
// the context's cause then. The deadlines of conn are as new afterwards.
func guard(ctx context.Context, conn *Conn, f func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = conn.SetDeadline(time.Unix(1, 0))
	})
	err := f()
	if !stop() {
		<-interrupted
		_ = conn.SetDeadline(time.Time{})
		if err != nil {
			return context.Cause(ctx)
		}
	}
	return err
}
