package sshtest

import (
	"context"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// directTCP serves a direct-tcpip channel (RFC 4254 §7.2): it really connects.
func (c *Conn) directTCP(wish ssh.NewChannel, number int) {
	var open tcpOpen
	if err := ssh.Unmarshal(wish.ExtraData(), &open); err != nil {
		c.refuse(wish, false)
		return
	}
	c.direct(wish, number, "tcp", hostPort(open.Host, open.Port))
}

// directUnix serves a direct-streamlocal@openssh.com channel (PROTOCOL §2.4).
func (c *Conn) directUnix(wish ssh.NewChannel, number int) {
	var open unixOpen
	if err := ssh.Unmarshal(wish.ExtraData(), &open); err != nil {
		c.refuse(wish, false)
		return
	}
	c.direct(wish, number, "unix", open.Path)
}

func (c *Conn) direct(wish ssh.NewChannel, number int, network, address string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.wg.Go(func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	})
	var dialer net.Dialer
	target, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		wish.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, reqs, err := wish.Accept()
	if err != nil {
		target.Close()
		return
	}
	c.splice(ch, reqs, target, number)
}

// splice carries bytes both ways, each half's end on its own, until both have ended or the channel is closed. It closes
// both ends. The number is 0 for a channel that the server opened: the record holds what clients do.
func (c *Conn) splice(ch ssh.Channel, reqs <-chan *ssh.Request, nc net.Conn, number int) {
	c.server.count(func(n *Counts) { n.OpenChannels++ })
	up, closed := make(chan struct{}), make(chan struct{})
	c.wg.Go(func() {
		defer close(closed)
		ssh.DiscardRequests(reqs)
		c.server.count(func(n *Counts) { n.OpenChannels-- })
		if number != 0 {
			c.event(Event{Kind: KindClose, Channel: number})
		}
	})
	c.wg.Go(func() {
		defer close(up)
		io.Copy(nc, ch)
		closeWrite(nc)
	})
	c.wg.Go(func() { // as sshd does: after CLOSE the socket gets what was received before, and ends both ways
		<-closed
		select {
		case <-up:
		case <-c.done:
		}
		nc.Close()
	})
	io.Copy(ch, nc)
	ch.CloseWrite()
	<-up
	ch.Close()
	nc.Close()
}

// closeWrite ends the sending half of a socket.
func closeWrite(nc net.Conn) {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
