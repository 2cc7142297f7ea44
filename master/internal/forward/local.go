package forward

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

// Channel types that connect to something from the host.
const (
	directTCP  = "direct-tcpip"
	directUnix = "direct-streamlocal@openssh.com"
)

// acceptPause is how long a listener rests when there are no descriptors left,
// as OpenSSH does.
const acceptPause = time.Second

// establishLocal listens here for a local or dynamic forward.
func (r *Registry) establishLocal(e *entry) error {
	if e.forward.ConnectHost == "" {
		return ErrFailed // as OpenSSH, which needs "socks" or some other text there
	}
	listeners, err := r.listen(r.ctx, e.forward)
	if err != nil {
		r.log.Warn("cannot listen for a forward", "forward", e.forward.String(), "error", err)
		return ErrFailed
	}
	e.listeners = listeners
	for _, l := range listeners {
		r.log.Debug("listening for a forward", "forward", e.forward.String(), "address", l.Addr().String())
		r.running.Go(func() { r.accept(l, e.forward) })
	}
	return nil
}

// accept takes connections until the listener is closed.
func (r *Registry) accept(l net.Listener, f muxproto.Forward) {
	for {
		sock, err := l.Accept()
		switch {
		case err == nil:
			r.welcome(sock, f)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			r.log.Warn("cannot accept a connection", "forward", f.String(), "error", err)
			select {
			case <-time.After(acceptPause):
			case <-r.ctx.Done():
				return
			}
		}
	}
}

// welcome owns sock and carries it on a goroutine of its own.
func (r *Registry) welcome(sock net.Conn, f muxproto.Forward) {
	t, socks := targetOf(f)
	state, kind := StateOpening, directTCP
	switch {
	case socks:
		state, kind = StateSOCKS, "dynamic-tcpip"
	case t.path != "":
		kind = directUnix
	}
	c := r.enter(identity(f), state, kind, kind)
	if c == nil {
		sock.Close()
		return
	}
	c.takeSocket(sock)
	r.running.Go(func() {
		defer c.leave()
		if socks {
			c.serveDynamic(f)
		} else {
			c.serveLocal(f, t, nil, nil)
		}
	})
}

// serveDynamic asks the client where it wants to go.
func (c *connection) serveDynamic(f muxproto.Forward) {
	req, rest, err := c.handshake(c.sock)
	if err != nil {
		c.reg.log.Debug("no SOCKS request", "forward", f.String(), "error", err)
		return
	}
	c.serveLocal(f, target{host: req.Host, port: uint32(req.Port)}, req.Granted(), rest)
}

// serveLocal opens a channel to t and carries. The client hears granted only when
// the host has connected: on a refusal its socket is closed without an answer,
// as OpenSSH does for SOCKS too.
func (c *connection) serveLocal(f muxproto.Forward, t target, granted, rest []byte) {
	name, extra := t.open(originOf(c.sock.RemoteAddr()))
	described := describeLocal(name, f, t, c.sock)
	c.become(StateOpening, described)
	ch, reqs, err := c.reg.cfg.Opener.OpenChannel(c.reg.ctx, name, extra)
	if err != nil {
		c.reg.log.Info("open failed", "connection", described, "reason", reasonOf(err))
		return
	}
	if !c.takeChannel(ch, reqs) {
		return
	}
	if len(granted) > 0 {
		c.sock.Write(granted)
	}
	c.become(StateOpen, described)
	c.carry(eachWay, rest, nil)
}

// describeLocal is the name of such a connection in OpenSSH's list of channels.
func describeLocal(kind string, f muxproto.Forward, t target, sock net.Conn) string {
	listening := int(f.ListenPort)
	if f.ListenPort == muxproto.PortStreamLocal {
		listening = pathPort
	}
	host, port := t.named()
	from, to := originOf(sock.RemoteAddr()), originOf(sock.LocalAddr())
	if to.host == "" {
		to.host = sock.LocalAddr().String()
	}
	return clean(fmt.Sprintf("%s: listening port %d for %s port %d, connect from %s port %d to %s port %d",
		kind, listening, host, port, from.host, from.port, to.host, to.port))
}

// reasonOf is what a log says of a channel that was not opened.
func reasonOf(err error) string {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return clean(refused.Reason.String() + ": " + refused.Message)
	}
	return clean(err.Error())
}
