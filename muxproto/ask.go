package muxproto

import (
	"context"
	"errors"
	"io"
)

// ErrNoInfo is a master that does not offer information: its Hello has no
// extension "info". OpenSSH's does since 10.3.
var ErrNoInfo = errors.New("muxproto: the master does not offer information")

// Alive asks for the process id of the master, as `ssh -O check`. Slaves with a
// terminal send that process SIGWINCH when the terminal's size changed. ssh
// takes 0 for a failure, it is returned as it came here.
func (c *Client) Alive(ctx context.Context) (pid uint32, err error) {
	const op = "alive check"
	reply, err := c.call(ctx, op, func(id uint32) Message { return &AliveCheck{RequestID: id} })
	if err != nil {
		return 0, err
	}
	alive, ok := reply.(*Alive)
	if !ok {
		return 0, c.unexpected(op, reply)
	}
	return alive.PID, nil
}

// OpenForward starts a port forward, as `ssh -O forward`. The port is the one
// that the host chose, if it was asked to by a remote forward of port 0, and 0
// otherwise.
func (c *Client) OpenForward(ctx context.Context, f Forward) (port uint32, err error) {
	const op = "open forward"
	reply, err := c.call(ctx, op, func(id uint32) Message { return &OpenForward{RequestID: id, Forward: f} })
	if err != nil {
		return 0, err
	}
	switch m := reply.(type) {
	case *OK:
		return 0, nil
	case *RemotePort:
		return m.Port, nil
	}
	return 0, c.unexpected(op, reply)
}

// CloseForward cancels a port forward, as `ssh -O cancel`. Connections that it
// carries live on. A forward opened with port 0 is cancelled with port 0.
func (c *Client) CloseForward(ctx context.Context, f Forward) error {
	return c.order(ctx, "close forward", func(id uint32) Message { return &CloseForward{RequestID: id, Forward: f} })
}

// StopListening makes the master accept no more slaves, as `ssh -O stop`.
func (c *Client) StopListening(ctx context.Context) error {
	return c.order(ctx, "stop listening", func(id uint32) Message { return &StopListening{RequestID: id} })
}

// Terminate ends the master and all of its sessions, as `ssh -O exit`. A master
// that closes the connection instead of answering has obeyed too: OpenSSH's
// often ends before its answer is out.
func (c *Client) Terminate(ctx context.Context) error {
	err := c.order(ctx, "terminate", func(id uint32) Message { return &Terminate{RequestID: id} })
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// order makes a request that OK answers.
func (c *Client) order(ctx context.Context, op string, request func(id uint32) Message) error {
	reply, err := c.call(ctx, op, request)
	if err != nil {
		return err
	}
	if _, ok := reply.(*OK); !ok {
		return c.unexpected(op, reply)
	}
	return nil
}

// Info asks for a text about the master's connection, as `ssh -O conninfo` and
// `ssh -O channels`: name is InfoConnection or InfoChannels. It is the master's
// word for word, control characters too. The error is ErrNoInfo if the master
// does not offer any, and *ReplyError if it does not know the name.
func (c *Client) Info(ctx context.Context, name string) (string, error) {
	const op = "info"
	if _, ok := c.Extension("info"); !ok {
		return "", ErrNoInfo
	}
	reply, err := c.call(ctx, op, func(id uint32) Message { return &InfoRequest{RequestID: id, Name: name} })
	if err != nil {
		return "", err
	}
	info, ok := reply.(*InfoReply)
	switch {
	case !ok:
		return "", c.unexpected(op, reply)
	case !info.OK:
		return "", &ReplyError{Op: op, Reason: printable(info.Text)}
	}
	return info.Text, nil
}

// Proxy goes over to SSH packets, as `ssh -O proxy`. They are read and written
// with ReadPacket and WritePacket of the Conn, which is the caller's to close;
// the Client can ask nothing more.
func (c *Client) Proxy(ctx context.Context) (*Conn, error) {
	const op = "proxy"
	reply, err := c.call(ctx, op, func(id uint32) Message { return &Proxy{RequestID: id} })
	if err != nil {
		return nil, err
	}
	if _, ok := reply.(*ProxyReply); !ok {
		return nil, c.unexpected(op, reply)
	}
	return c.conn, nil
}
