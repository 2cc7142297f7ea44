package forward

import (
	"context"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

// Places is the table with places as proxy slaves name them: a host and port, or
// with [muxproto.PortStreamLocal] the path of a unix socket.
type Places struct{ remotes *Remotes }

// Places is the table as proxy slaves use it.
func (r *Remotes) Places() Places { return Places{r} }

// Listen is [Remotes.Listen].
func (p Places) Listen(ctx context.Context, host string, port uint32, accept func(ssh.NewChannel)) (uint32, error) {
	return p.remotes.Listen(ctx, at(host, port), accept)
}

// Cancel is [Remotes.Cancel].
func (p Places) Cancel(ctx context.Context, host string, port uint32) error {
	return p.remotes.Cancel(ctx, at(host, port))
}

func at(host string, port uint32) At {
	if port == muxproto.PortStreamLocal {
		return At{Path: host}
	}
	return At{Host: host, Port: port}
}
