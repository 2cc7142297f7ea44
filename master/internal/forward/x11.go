package forward

import (
	"errors"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/forward/x11"
	"sshmaster/muxproto"
)

// X11 returns the function for the host's channels to the display, of type x11
// (RFC 4254 section 6.3.2). A client that does not show the cookie that its
// session was given loses its channel. It may block, as [Remotes.Handlers].
func (r *Registry) X11(display *x11.Forwarding) func(ssh.NewChannel) {
	return func(nc ssh.NewChannel) {
		c := r.enter(muxproto.Forward{}, StateX11, "x11-connection", "x11")
		if c == nil {
			nc.Reject(ssh.Prohibited, openFailed)
			return
		}
		defer c.leave()
		c.serveX11(nc, display)
	}
}

func (c *connection) serveX11(nc ssh.NewChannel, display *x11.Forwarding) {
	sock, likely, err := display.Connect(c.reg.ctx)
	if err != nil {
		c.reg.log.Info("X11 connection refused", "error", err)
		nc.Reject(ssh.Prohibited, openFailed)
		return
	}
	if !c.confirm(nc, sock, StateX11) {
		return
	}
	first, at, err := display.Admit(c.ch)
	if err != nil {
		if errors.Is(err, x11.ErrRejected) {
			c.reg.log.Warn(err.Error())
		}
		return
	}
	if at != likely && !c.moveTo(display, at) {
		return
	}
	c.become(StateOpen, "x11")
	c.carry(atOnce, nil, first)
}

// moveTo leaves the display that a client was taken to for the one that its cookie
// opens.
func (c *connection) moveTo(display *x11.Forwarding, at string) bool {
	sock, err := display.ConnectTo(c.reg.ctx, at)
	if err != nil {
		c.reg.log.Info("X11 connection refused", "error", err)
		return false
	}
	c.mu.Lock()
	other := c.sock
	c.mu.Unlock()
	_ = other.Close()
	return c.takeSocket(sock)
}
