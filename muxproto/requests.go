package muxproto

// NoEscape in NewSession.EscapeChar switches escape characters off.
const NoEscape = 0xffffffff

// An Extension is a name and a value in Hello.
type Extension struct {
	Name  string
	Value string // any bytes
}

// Hello is the first message of either side (PROTOCOL.mux section 1). It is not
// answered. Unknown extensions are to be ignored; OpenSSH's master since 10.3
// sends "info" with the value "0", which says that it answers InfoRequest.
type Hello struct {
	Version    uint32
	Extensions []Extension // in the order sent
}

// NewSession asks for a session (PROTOCOL.mux section 2). Three descriptors
// follow it: standard input, output and error. It is answered by SessionOpened,
// PermissionDenied or Failure; then TTYAllocFail and ExitMessage may come, and
// the end of the connection is the end of the session.
type NewSession struct {
	RequestID  uint32
	Reserved   string // empty
	WantTTY    bool
	WantX11    bool
	WantAgent  bool
	Subsystem  bool     // Command names a subsystem
	EscapeChar uint32   // or NoEscape
	Term       string   // the terminal's type, TERM
	Command    string   // empty: a shell
	Env        []string // NAME=value, as sent: nothing is checked or filtered
}

// AliveCheck asks whether the master is there (PROTOCOL.mux section 4). It is
// answered by Alive.
type AliveCheck struct{ RequestID uint32 }

// Terminate asks the master to end at once, and all sessions with it
// (PROTOCOL.mux section 5). It is answered by OK, PermissionDenied, or by the
// end of the connection.
type Terminate struct{ RequestID uint32 }

// OpenForward asks for a port forward (PROTOCOL.mux section 6). It is answered
// by OK, RemotePort, PermissionDenied or Failure.
type OpenForward struct {
	RequestID uint32
	Forward
}

// CloseForward cancels a port forward (PROTOCOL.mux section 7). It is answered
// by OK, PermissionDenied or Failure.
type CloseForward struct {
	RequestID uint32
	Forward
}

// NewStdioForward asks for a connection to Host and Port from the host that the
// master is connected to (PROTOCOL.mux section 3). Two descriptors follow it:
// standard input and output. It is answered by SessionOpened, PermissionDenied
// or Failure; the end of the connection is the end of the forward, and no
// message comes before it.
type NewStdioForward struct {
	RequestID uint32
	Reserved  string // empty
	Host      string // or the path of a unix socket
	Port      uint32 // or PortStreamLocal
}

// StopListening asks the master to accept no more slaves and to remove its
// socket (PROTOCOL.mux section 8). It is answered by OK, PermissionDenied or
// Failure.
type StopListening struct{ RequestID uint32 }

// Proxy asks the master to go over to SSH packets (PROTOCOL.mux section 9). It
// is answered by ProxyReply.
type Proxy struct{ RequestID uint32 }

// InfoRequest asks for a text about the master's connection (OpenSSH 10.3 and
// later, mux.c). It is answered by InfoReply.
type InfoRequest struct {
	RequestID uint32
	Name      string // InfoConnection or InfoChannels
}

// Names that InfoRequest may carry.
const (
	InfoConnection = "connection" // addresses, algorithms, traffic
	InfoChannels   = "channels"   // the open channels
)
