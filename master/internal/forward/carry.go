package forward

import (
	"net"
)

// ending says what the host's end of file does to the other direction.
type ending int

const (
	eachWay ending = iota // nothing: forwarded ports and sockets
	atOnce                // it ends too: agent and X11
)

// carry copies between the socket and the channel until the connection is over.
// What was read of either before is passed on first: toHost was read from the
// socket, toSocket from the channel.
func (c *connection) carry(how ending, toHost, toSocket []byte) {
	defer c.reg.cfg.Busy()()
	defer c.end()
	up, down := make(chan struct{}), make(chan struct{})
	c.reg.running.Go(func() { c.copyToHost(toHost); close(up) })
	c.reg.running.Go(func() { c.copyToSocket(toSocket); close(down) })
	for up != nil || down != nil {
		select {
		case <-up:
			up = nil
		case <-down:
			if how == atOnce {
				return
			}
			down = nil
		case <-c.hostClosed:
			c.drained(down)
			return
		case <-c.over:
			return
		}
	}
}

// drained waits until the socket has everything that the host sent before it
// closed the channel.
func (c *connection) drained(down <-chan struct{}) {
	if down == nil {
		return
	}
	select {
	case <-down:
	case <-c.over:
	}
}

// copyToHost carries what the socket's peer sends until it has ended. It is the
// only writer of the channel, which is why it may send the EOF.
func (c *connection) copyToHost(first []byte) {
	if _, err := c.ch.Write(first); len(first) > 0 && err != nil {
		return
	}
	read, write := move(c.ch, c.sock)
	switch {
	case write != nil:
		// The host has closed the channel, and its own end will follow.
	case read == nil:
		c.ch.CloseWrite()
	default:
		c.end() // the peer is gone, both ways
	}
}

// copyToSocket carries what the host sends until its end of file, and passes
// that on. When the peer reads no more, its other direction may still go on; what
// arrives meanwhile is read and thrown away.
func (c *connection) copyToSocket(first []byte) {
	if len(first) > 0 {
		if _, err := c.sock.Write(first); err != nil {
			c.reg.running.Go(func() { drain(c.ch) })
			return
		}
	}
	_, write := move(c.sock, c.ch)
	if write != nil {
		c.reg.running.Go(func() { drain(c.ch) })
		return
	}
	closeWrite(c.sock)
}

// closeWrite ends the sending half of a socket.
func closeWrite(sock net.Conn) {
	if half, ok := sock.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
