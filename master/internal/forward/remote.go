package forward

import (
	"context"
	"net"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

// establishRemote has the host listen for a remote forward.
func (r *Registry) establishRemote(e *entry) error {
	e.at = placeOf(e.forward)
	port, err := r.remotes.Listen(r.ctx, e.at, func(nc ssh.NewChannel) { r.serveRemote(nc, e.forward) })
	if err != nil {
		r.log.Warn("remote port forwarding failed", "forward", e.forward.String(), "error", err)
		return &RemoteError{Forward: e.forward, Cause: err}
	}
	if e.at.Path == "" {
		e.at.Port = port
	}
	r.log.Debug("the host listens for a forward", "forward", e.forward.String(), "port", port)
	return nil
}

// cancelRemote has the host stop listening.
func (r *Registry) cancelRemote(ctx context.Context, e *entry) error {
	return r.remotes.Cancel(ctx, e.at)
}

// placeOf is where the host is asked to listen: "" is its loopback and "*"
// everything (RFC 4254 section 7.1); other hosts go as they are.
func placeOf(f muxproto.Forward) At {
	switch {
	case f.ListenPort == muxproto.PortStreamLocal:
		return At{Path: f.ListenHost}
	case f.ListenHost == "":
		return At{Host: "localhost", Port: f.ListenPort}
	case f.ListenHost == "*":
		return At{Host: "", Port: f.ListenPort}
	default:
		return At{Host: f.ListenHost, Port: f.ListenPort}
	}
}

// serveRemote serves a connection that came in at the host. The target is
// connected to first, so that the host hears whether that went well.
func (r *Registry) serveRemote(nc ssh.NewChannel, f muxproto.Forward) {
	t, socks := targetOf(f)
	state := StateConnecting
	if socks {
		state = StateRemoteSOCKS
	}
	c := r.enter(identity(f), state, nc.ChannelType(), remoteName(nc))
	if c == nil {
		nc.Reject(ssh.Prohibited, openFailed)
		return
	}
	defer c.leave()
	if socks {
		c.serveRemoteSOCKS(nc)
		return
	}
	sock, err := r.dial(r.ctx, t)
	if err != nil {
		r.log.Info("cannot connect to the target of a remote forward", "target", t.String(), "error", err)
		refuse(nc, err)
		return
	}
	if c.confirm(nc, sock, StateOpen) {
		c.carry(eachWay, nil, nil)
	}
}

// confirm takes the socket and then the host's channel, and returns false when
// either has ended meanwhile.
func (c *connection) confirm(nc ssh.NewChannel, sock net.Conn, state State) bool {
	if !c.takeSocket(sock) {
		nc.Reject(ssh.Prohibited, openFailed)
		return false
	}
	ch, reqs, err := nc.Accept()
	if err != nil {
		return false
	}
	c.become(state, c.describe().Name)
	return c.takeChannel(ch, reqs)
}

// serveRemoteSOCKS serves SOCKS on a channel: it is confirmed at once, because
// only its data say where to go, and closed when that does not work out.
func (c *connection) serveRemoteSOCKS(nc ssh.NewChannel) {
	ch, reqs, err := nc.Accept()
	if err != nil || !c.takeChannel(ch, reqs) {
		return
	}
	req, rest, err := c.handshake(ch)
	if err != nil {
		c.reg.log.Debug("no SOCKS request", "error", err)
		return
	}
	t := target{host: req.Host, port: uint32(req.Port)}
	if !permitted(c.reg.cfg.PermitRemoteOpen, t) {
		c.reg.log.Info("PermitRemoteOpen forbids the target of a remote SOCKS client", "target", t.String())
		return
	}
	c.become(StateRemoteConnect, c.describe().Name)
	sock, err := c.reg.dial(c.reg.ctx, t)
	if err != nil {
		c.reg.log.Info("cannot connect to the target of a remote SOCKS client", "target", t.String(), "error", err)
		return
	}
	if !c.takeSocket(sock) {
		return
	}
	ch.Write(req.Granted())
	c.become(StateOpen, c.describe().Name)
	c.carry(eachWay, nil, rest)
}

// remoteName is the name of such a connection in OpenSSH's list of channels: the
// address that it came from.
func remoteName(nc ssh.NewChannel) string {
	var open tcpChannel
	if nc.ChannelType() == forwardedTCP && ssh.Unmarshal(nc.ExtraData(), &open) == nil {
		return clean(open.OriginHost)
	}
	return "forwarded-streamlocal"
}
