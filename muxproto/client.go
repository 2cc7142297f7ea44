package muxproto

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Why a Client cannot be used any more.
var (
	errTaken  = errors.New("the connection belongs to a session, a forward or a proxy")
	errBroken = errors.New("an earlier request broke the connection")
)

// A Client asks a master for things, over a connection of its own. Its methods
// may be called by many goroutines, one request is under way at a time.
//
// A method that opens a session, a stdio forward or a proxy gives the
// connection away: further requests need another Client. Any other error than
// *ReplyError ends the connection, a cancelled context too, for the answer may
// still be on its way.
type Client struct {
	conn  *Conn
	hello Hello

	turn chan struct{} // holds a token while nobody asks
	next uint32        // owned by whoever has the token: the next request id

	mu  sync.Mutex
	end error // guarded by mu: why nothing can be asked any more
}

// Dial connects to the master that listens at path and exchanges Hello with it.
// A context without an end waits for ever for a master that is stuck.
func Dial(ctx context.Context, path string) (*Client, error) {
	address, err := socketAddress(path)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	sock, err := d.DialContext(ctx, "unix", address)
	if err != nil {
		return nil, fmt.Errorf("muxproto: %w", err)
	}
	return NewClient(ctx, sock.(*net.UnixConn))
}

// NewClient exchanges Hello with the master at the other end of sock. It takes
// ownership of sock, after an error too.
func NewClient(ctx context.Context, sock *net.UnixConn) (*Client, error) {
	c := &Client{conn: NewConn(sock), turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	if err := guard(ctx, c.conn, c.greet); err != nil {
		_ = c.conn.Close()
		return nil, fmt.Errorf("muxproto: hello: %w", err)
	}
	return c, nil
}

// greet sends and reads Hello (PROTOCOL.mux section 1).
func (c *Client) greet() error {
	if err := c.conn.Write(&Hello{Version: Version}); err != nil {
		return err
	}
	m, err := c.conn.ReadReply()
	if err != nil {
		return inExchange(err)
	}
	hello, ok := m.(*Hello)
	switch {
	case !ok:
		return malformed("%v instead of %v", m.MsgType(), TypeHello)
	case hello.Version != Version:
		return fmt.Errorf("the master speaks protocol version %d, not %d", hello.Version, Version)
	}
	c.hello = *hello
	return nil
}

// Hello is what the master greeted with. It must not be changed.
func (c *Client) Hello() Hello { return c.hello }

// Extension returns the value of the first extension of that name in the
// master's Hello, and whether there is one.
func (c *Client) Extension(name string) (string, bool) {
	for _, x := range c.hello.Extensions {
		if x.Name == name {
			return x.Value, true
		}
	}
	return "", false
}

// Close ends the connection, and with it a session, forward or proxy that was
// opened over it. Requests under way return. It may be called again.
func (c *Client) Close() error {
	c.fail(net.ErrClosed)
	err := c.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// fail notes why nothing can be asked any more. The first reason stays.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = err
	}
}

func (c *Client) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}
