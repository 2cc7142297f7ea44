package forward

import "sshmaster/muxproto"

// maxPort is the highest port of TCP.
const maxPort = 65535

func knownType(t muxproto.ForwardType) bool {
	return t == muxproto.ForwardLocal || t == muxproto.ForwardRemote || t == muxproto.ForwardDynamic
}

func isPort(p uint32) bool { return p <= maxPort || p == muxproto.PortStreamLocal }

// valid says whether f can be carried at all, by the rules of OpenSSH's master.
// One that names no type of forward ends that master; here it is refused.
func valid(f muxproto.Forward) bool {
	onPath := f.ListenPort == muxproto.PortStreamLocal
	switch {
	case !knownType(f.Type), !isPort(f.ListenPort), !isPort(f.ConnectPort):
		return false
	case onPath && (f.ListenHost == "" || f.Type == muxproto.ForwardDynamic):
		return false
	case f.Type == muxproto.ForwardLocal && f.ConnectPort == 0:
		return false
	}
	return f.Type == muxproto.ForwardDynamic || f.ConnectHost != ""
}
