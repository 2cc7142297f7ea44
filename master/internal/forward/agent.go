package forward

import (
	"errors"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

// errNoAgent says that there is no agent to forward.
var errNoAgent = errors.New("no authentication agent")

// Agent returns the function for the host's channels to the authentication
// agent, of type auth-agent@openssh.com. Each connects anew to the unix socket
// that socket names then; "" is none. It may block, as [Remotes.Handlers].
func (r *Registry) Agent(socket func() string) func(ssh.NewChannel) {
	return func(nc ssh.NewChannel) {
		c := r.enter(muxproto.Forward{}, StateConnecting, "agent-connection", "authentication agent connection")
		if c == nil {
			nc.Reject(ssh.Prohibited, openFailed)
			return
		}
		defer c.leave()
		c.serveAgent(nc, socket())
	}
}

func (c *connection) serveAgent(nc ssh.NewChannel, path string) {
	err := errNoAgent
	if path != "" {
		sock, dialErr := c.reg.dial(c.reg.ctx, target{path: path})
		if dialErr == nil {
			if c.confirm(nc, sock, StateOpen) {
				c.carry(atOnce, nil, nil)
			}
			return
		}
		err = dialErr
	}
	c.reg.log.Info("cannot connect to the authentication agent", "error", err)
	nc.Reject(ssh.Prohibited, openFailed)
}
