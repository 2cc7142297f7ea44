package muxproto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// A Session runs on descriptors that were passed to a master, until the master
// closes the connection. It must be closed.
type Session struct {
	// ID is the master's number for the session.
	ID uint32

	conn   *Conn
	silent bool // a stdio forward, of which nothing but the end is told

	turn chan struct{} // holds a token while nobody waits
	exit Exit          // the rest is owned by whoever has the token
	done bool
	err  error
}

// Exit says how a session ended.
type Exit struct {
	Status    uint32 // valid if Known
	Known     bool   // false: the session was cut off, or ended by a signal
	TTYFailed bool   // the host refused the terminal that was asked for
}

// NewSession opens a session on three descriptors, which are lent: the master
// gets its own. The request id is set by the client. After a *ReplyError the
// caller may ask for something else, unless the master closes the connection.
func (c *Client) NewSession(ctx context.Context, req NewSession, stdin, stdout, stderr int) (*Session, error) {
	return c.open(ctx, "new session", false, func(id uint32) Message {
		req.RequestID = id
		return &req
	}, stdin, stdout, stderr)
}

// StdioForward connects two descriptors, which are lent, to a host and port
// seen from the master's host, as `ssh -W`. With PortStreamLocal for a port,
// host is the path of a unix socket. Its Exit is never Known.
func (c *Client) StdioForward(ctx context.Context, host string, port uint32, stdin, stdout int) (*Session, error) {
	return c.open(ctx, "stdio forward", true, func(id uint32) Message {
		return &NewStdioForward{RequestID: id, Host: host, Port: port}
	}, stdin, stdout)
}

// open makes a request that SessionOpened answers, and gives the connection to
// the session.
func (c *Client) open(ctx context.Context, op string, silent bool, request func(id uint32) Message, fds ...int) (*Session, error) {
	reply, err := c.call(ctx, op, request, fds...)
	if err != nil {
		return nil, err
	}
	opened, ok := reply.(*SessionOpened)
	if !ok {
		return nil, c.unexpected(op, reply)
	}
	s := &Session{ID: opened.SessionID, conn: c.conn, silent: silent, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// Wait waits until the master closes the connection: then all output of the
// session was written. When ctx ends, it returns what is known so far and the
// context's cause, and may be called again. Other errors are as those of
// Conn.ReadReply, and stay.
func (s *Session) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return Exit{}, fmt.Errorf("muxproto: session: %w", context.Cause(ctx))
	}
	defer func() { s.turn <- struct{}{} }()
	for !s.done {
		if err := guard(ctx, s.conn, s.read); err != nil {
			return s.exit, fmt.Errorf("muxproto: session: %w", err)
		}
	}
	return s.exit, s.err
}

// read reads what the master tells next. It ends the wait at the end of the
// connection and when the master breaks the protocol.
func (s *Session) read() error {
	m, err := s.conn.ReadReply()
	if err == nil {
		err = s.note(m)
	}
	var timeout net.Error
	switch {
	case err == nil:
	case errors.As(err, &timeout) && timeout.Timeout():
		return err
	case errors.Is(err, io.EOF):
		s.done = true
	default:
		s.done, s.err = true, fmt.Errorf("muxproto: session: %w", err)
	}
	return nil
}

// note keeps what a message says about the session (PROTOCOL.mux section 2).
func (s *Session) note(m Message) error {
	if s.silent {
		return malformed("unexpected %s", Describe(m))
	}
	switch m := m.(type) {
	case *ExitMessage:
		switch {
		case m.SessionID != s.ID:
			return malformed("%s, this is session %d", Describe(m), s.ID)
		case s.exit.Known:
			return malformed("%s after the exit status %d", Describe(m), s.exit.Status)
		}
		s.exit.Status, s.exit.Known = m.Status, true
	case *TTYAllocFail:
		if m.SessionID != s.ID {
			return malformed("%s, this is session %d", Describe(m), s.ID)
		}
		s.exit.TTYFailed = true
	default:
		return malformed("unexpected %s", Describe(m))
	}
	return nil
}

// Close closes the connection, which ends the session if it still runs: the
// host sees the end of its input. A Wait under way returns. It may be called
// again.
func (s *Session) Close() error {
	err := s.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
