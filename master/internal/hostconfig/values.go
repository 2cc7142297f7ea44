package hostconfig

import "time"

// A Persist is ControlPersist.
type Persist struct {
	Enabled bool
	Idle    time.Duration // the idle limit in whole seconds; 0 is for ever
}

// A RekeyLimit is how much (bytes) and how long one set of keys serves; zero
// is the default of the cipher and no limit of time.
type RekeyLimit struct {
	Bytes    uint64
	Interval time.Duration
}

// An IPQoS is the type of service of interactive and of bulk traffic: a value
// of the IP header's TOS byte, or [QoSNone].
type IPQoS struct {
	Interactive, Bulk int
}

// QoSNone leaves the system's own type of service alone.
const QoSNone = -1

// An AddKeys is AddKeysToAgent: what happens to a key loaded from a file.
type AddKeys struct {
	Mode     string        // "no", "yes", "ask" or "confirm"
	Lifetime time.Duration // how long the agent keeps it; 0 is for ever
}

// An AgentForward is ForwardAgent.
type AgentForward struct {
	Enabled bool
	Path    string // the agent's socket; "" is the one in SSH_AUTH_SOCK
}

// An EscapeChar is a byte, or [EscapeNone].
type EscapeChar int

// EscapeNone is EscapeChar none.
const EscapeNone EscapeChar = -1

// A Forward is one LocalForward, RemoteForward or DynamicForward. An end is
// either a path (of a unix socket) or a host and a port.
type Forward struct {
	ListenHost string // "" leaves it to GatewayPorts, "*" is every address
	ListenPort int
	ListenPath string

	Dynamic     bool // a SOCKS proxy: no connect end
	ConnectHost string
	ConnectPort int
	ConnectPath string
}

// A Jump is one hop of ProxyJump.
type Jump struct {
	User string // "" leaves it to that host's own configuration
	Host string
	Port int // 0 leaves it to that host's own configuration
}
