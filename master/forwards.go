package master

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/hostconfig"
	"sshmaster/muxproto"
)

// Forwards is what the configuration of a host says of forwarding, as a slave
// asks for it and in the order in which ssh does: local and dynamic ones, then
// remote ones.
func Forwards(host *Host) []muxproto.Forward {
	var all []muxproto.Forward
	for _, f := range host.LocalForward {
		all = append(all, wireForward(muxproto.ForwardLocal, f))
	}
	for _, f := range host.DynamicForward {
		all = append(all, wireForward(muxproto.ForwardDynamic, f))
	}
	for _, f := range host.RemoteForward {
		all = append(all, wireForward(muxproto.ForwardRemote, f))
	}
	return all
}

// wireForward is f in the protocol's terms: a path has a port that says so,
// and a SOCKS proxy connects to "socks".
func wireForward(kind muxproto.ForwardType, f hostconfig.Forward) muxproto.Forward {
	w := muxproto.Forward{
		Type:       kind,
		ListenHost: f.ListenHost, ListenPort: uint32(f.ListenPort),
		ConnectHost: f.ConnectHost, ConnectPort: uint32(f.ConnectPort),
	}
	if f.ListenPath != "" {
		w.ListenHost, w.ListenPort = f.ListenPath, muxproto.PortStreamLocal
	}
	if f.ConnectPath != "" {
		w.ConnectHost, w.ConnectPort = f.ConnectPath, muxproto.PortStreamLocal
	}
	if f.Dynamic {
		w.ConnectHost, w.ConnectPort = "socks", 0
	}
	return w
}

// newForwards is the table of everything that this master forwards.
func (m *Master) newForwards() *forward.Registry {
	return forward.New(forward.Config{
		Opener: route{m: m}, Requester: route{m: m},
		GatewayPorts:          m.host.GatewayPorts,
		AddressFamily:         m.host.AddressFamily,
		StreamLocalBindMask:   m.host.StreamLocalBindMask,
		StreamLocalBindUnlink: m.host.StreamLocalBindUnlink,
		PermitRemoteOpen:      m.host.PermitRemoteOpen,
		Dir:                   m.opts.Dir,
		Busy:                  m.idle.begin,
		Log:                   m.log,
	})
}

// incoming is what the host may open channels for, each with its handler.
func (m *Master) incoming() map[string]func(ssh.NewChannel) {
	handlers := maps.Clone(m.forwards.Remotes().Handlers())
	if m.host.ForwardAgent.Enabled {
		handlers["auth-agent@openssh.com"] = m.forwards.Agent(m.agentSocket)
	}
	if m.display != nil {
		handlers["x11"] = m.forwards.X11(m.display)
	}
	return handlers
}

// agentSocket is the agent that is forwarded: the configuration's own, or that
// of the master's environment.
func (m *Master) agentSocket() string {
	switch agent := m.hostNow().ForwardAgent; {
	case !agent.Enabled: // its variable is not set at present
		return ""
	case agent.Path != "":
		return agent.Path
	}
	return m.getenv("SSH_AUTH_SOCK")
}

// local and remote say which forwards are meant.
func local(f muxproto.Forward) bool  { return f.Type != muxproto.ForwardRemote }
func remote(f muxproto.Forward) bool { return !local(f) }

// openForwards opens those that the configuration asks for and which are meant. A
// failure ends the start only under ExitOnForwardFailure.
func (m *Master) openForwards(ctx context.Context, which func(muxproto.Forward) bool) error {
	for _, f := range Forwards(m.host) {
		if !which(f) {
			continue
		}
		port, err := slaveForwards{m}.Open(ctx, control.Wish{}, f)
		switch {
		case err != nil && m.host.ExitOnForwardFailure:
			return fmt.Errorf("%w (ExitOnForwardFailure is set): %s", err, f)
		case err != nil:
			m.log.Warn("Warning: " + err.Error())
		case port != 0:
			m.log.Warn(fmt.Sprintf("Allocated port %d for remote forward to %s", port, destination(f)))
		}
	}
	return nil
}

func destination(f muxproto.Forward) string {
	if f.ConnectPort == muxproto.PortStreamLocal {
		return f.ConnectHost
	}
	return fmt.Sprintf("%s:%d", f.ConnectHost, f.ConnectPort)
}

// slaveForwards is the table as slaves may use it.
type slaveForwards struct{ m *Master }

var errUnsafe = errors.New("Port forwarding failed: the host's key has changed, and nothing is forwarded to such a host")

// Open opens a forward, unless the host is not the one that was known. For a
// remote one there has to be a link, for which w may be asked something.
func (s slaveForwards) Open(ctx context.Context, w control.Wish, f muxproto.Forward) (uint32, error) {
	if remote(f) && !s.m.forwards.Exists(f) {
		if err := s.m.pool.Reach(ctx, route{s.m, w}.want()); err != nil {
			return 0, err
		}
	}
	if s.m.pool.Unsafe() {
		return 0, errUnsafe
	}
	return s.m.forwards.Open(ctx, f)
}

// Cancel cancels a forward.
func (s slaveForwards) Cancel(ctx context.Context, f muxproto.Forward) error {
	return s.m.forwards.Cancel(ctx, f)
}

// Exists says whether opening f would change nothing.
func (s slaveForwards) Exists(f muxproto.Forward) bool { return s.m.forwards.Exists(f) }
