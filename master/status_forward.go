package master

import (
	"net"
	"strconv"
	"strings"

	"sshmaster/muxproto"
)

func (m *Master) forwardStatuses() []ForwardStatus {
	all := []ForwardStatus{}
	for _, l := range m.forwards.Listeners() {
		s := ForwardStatus{
			Type: l.Forward.Type.String(), Listen: listenEnd(l.Forward), Connect: connectEnd(l.Forward),
			Since: l.Began, Port: int(l.Port), Waiting: l.Waiting, Connections: l.Connections,
		}
		s.Spec = s.Listen
		if s.Connect != "" {
			s.Spec += ":" + s.Connect
		}
		all = append(all, s)
	}
	return all
}

// listenEnd and connectEnd are the ends of a forward as ssh's command line writes
// them: [host:]port or a path; nothing where each connection says where it goes.
func listenEnd(f muxproto.Forward) string { return end(f.ListenHost, f.ListenPort) }

func connectEnd(f muxproto.Forward) string {
	if f.ConnectPort == 0 {
		return ""
	}
	return end(f.ConnectHost, f.ConnectPort)
}

func end(host string, port uint32) string {
	number := strconv.FormatUint(uint64(port), 10)
	switch {
	case port == muxproto.PortStreamLocal:
		return host
	case host == "":
		return number
	case strings.Contains(host, ":"):
		return net.JoinHostPort(host, number)
	}
	return host + ":" + number
}
