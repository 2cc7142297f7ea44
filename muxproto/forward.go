package muxproto

import "fmt"

// A ForwardType says which way a port forward goes.
type ForwardType uint32

// Forward types (PROTOCOL.mux section 6). Others may arrive: the master judges.
const (
	ForwardLocal   ForwardType = 1 // ssh -L
	ForwardRemote  ForwardType = 2 // ssh -R
	ForwardDynamic ForwardType = 3 // ssh -D
)

// PortStreamLocal in place of a port says that the host is the path of a unix
// socket.
const PortStreamLocal = 0xfffffffe

// String is local, remote, dynamic, or the number.
func (t ForwardType) String() string {
	switch t {
	case ForwardLocal:
		return "local"
	case ForwardRemote:
		return "remote"
	case ForwardDynamic:
		return "dynamic"
	default:
		return fmt.Sprintf("forward type %d", uint32(t))
	}
}

// A Forward says where to listen and where to connect to (PROTOCOL.mux section
// 6). Two forwards are the same if all fields are equal. Ports are as received:
// the wire has room for numbers that are none.
type Forward struct {
	Type        ForwardType
	ListenHost  string // "" is the loopback interface, "*" is all; or a path
	ListenPort  uint32 // or PortStreamLocal
	ConnectHost string // or a path; OpenSSH's ssh puts "socks" for -D
	ConnectPort uint32 // or PortStreamLocal
}

// String describes f on one line without control characters.
func (f Forward) String() string {
	return fmt.Sprintf("%v %s -> %s", f.Type,
		endpoint(f.ListenHost, f.ListenPort), endpoint(f.ConnectHost, f.ConnectPort))
}

func endpoint(host string, port uint32) string {
	if port == PortStreamLocal {
		return brief(host)
	}
	return fmt.Sprintf("%s:%d", brief(host), port)
}

func (f *Forward) append(dst []byte) []byte {
	dst = appendU32(dst, uint32(f.Type))
	dst = appendString(dst, f.ListenHost)
	dst = appendU32(dst, f.ListenPort)
	dst = appendString(dst, f.ConnectHost)
	return appendU32(dst, f.ConnectPort)
}

func (f *Forward) decode(c *cursor) {
	f.Type = ForwardType(c.u32())
	f.ListenHost = c.string()
	f.ListenPort = c.u32()
	f.ConnectHost = c.string()
	f.ConnectPort = c.u32()
}
