package forward

import (
	"golang.org/x/crypto/ssh"
)

// Channel types of connections to what the host listens on: RFC 4254 section
// 7.2, OpenSSH's PROTOCOL section 2.4.
const (
	forwardedTCP  = "forwarded-tcpip"
	forwardedUnix = "forwarded-streamlocal@openssh.com"
)

type tcpChannel struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

type unixChannel struct {
	Path     string
	Reserved string
}

// Handlers are the functions for the host's channels, by type. Each may block,
// so every channel needs a goroutine of its own.
func (r *Remotes) Handlers() map[string]func(ssh.NewChannel) {
	return map[string]func(ssh.NewChannel){
		forwardedTCP:  r.routeTCP,
		forwardedUnix: r.routeUnix,
	}
}

// routeTCP gives a channel to whoever asked for the port, under the name by which
// it was asked for.
func (r *Remotes) routeTCP(nc ssh.NewChannel) {
	var open tcpChannel
	if err := ssh.Unmarshal(nc.ExtraData(), &open); err != nil || open.Port > maxPort || open.OriginPort > maxPort {
		r.log.Warn("the host opened a channel that makes no sense", "type", forwardedTCP)
		nc.Reject(ssh.Prohibited, openFailed)
		return
	}
	m, at := r.waitTCP(open.Host, open.Port)
	if m == nil {
		r.log.Warn("the host forwards a port that it was not asked for", "at", At{Host: open.Host, Port: open.Port}.String())
		nc.Reject(ssh.Prohibited, openFailed)
		return
	}
	if at.Host != open.Host || at.Port != open.Port {
		open.Host, open.Port = at.Host, at.Port
		nc = renamed{nc, ssh.Marshal(open)}
	}
	m.accept(nc)
}

// routeUnix is the same for a unix socket, whose path must be the very one.
func (r *Remotes) routeUnix(nc ssh.NewChannel) {
	var open unixChannel
	if err := ssh.Unmarshal(nc.ExtraData(), &open); err != nil {
		r.log.Warn("the host opened a channel that makes no sense", "type", forwardedUnix)
		nc.Reject(ssh.Prohibited, openFailed)
		return
	}
	r.mu.Lock()
	m := r.find(At{Path: open.Path})
	r.mu.Unlock()
	if m == nil || open.Path == "" {
		r.log.Warn("the host forwards a path that it was not asked for", "path", clean(open.Path))
		nc.Reject(ssh.Prohibited, openFailed)
		return
	}
	m.accept(nc)
}

// A renamed channel says that it comes from where its owner asked the host to
// listen, whatever the host calls the place.
type renamed struct {
	ssh.NewChannel
	extra []byte
}

func (n renamed) ExtraData() []byte { return n.extra }

// waitTCP finds out who asked for a port. While the host's choice of one is on
// its way, a port that is not known may become so.
func (r *Remotes) waitTCP(host string, port uint32) (*remote, At) {
	for {
		r.mu.Lock()
		m := r.match(host, port)
		choosing, chosen := r.choosing > 0, r.chosen
		var at At
		if m != nil {
			at = m.at
		}
		r.mu.Unlock()
		if m != nil || !choosing {
			return m, at
		}
		<-chosen
	}
}

// match finds who asked for a port; the caller holds the lock. An exact match is
// best. Some servers name another address than they were asked for, and
// OpenSSH 5 names port 0 where it had the choice: then the only one that fits is
// meant.
func (r *Remotes) match(host string, port uint32) *remote {
	var samePort, sameHost []*remote
	for _, m := range r.all {
		switch {
		case m.at.Path != "" || m.port == 0:
		case m.port == port && m.at.Host == host:
			return m
		case m.port == port:
			samePort = append(samePort, m)
		case port == 0 && m.choice && m.at.Host == host:
			sameHost = append(sameHost, m)
		}
	}
	if len(samePort) == 1 {
		return samePort[0]
	}
	if len(sameHost) == 1 {
		return sameHost[0]
	}
	return nil
}
