package master

import (
	"context"
	"errors"

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

type noForwards struct{}

func (noForwards) Open(context.Context, muxproto.Forward) (uint32, error) {
	return 0, errors.New("Port forwarding failed")
}
func (noForwards) Cancel(context.Context, muxproto.Forward) error {
	return errors.New("port not found")
}
func (noForwards) Exists(muxproto.Forward) bool { return false }
