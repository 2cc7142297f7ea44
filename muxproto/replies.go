package muxproto

// OK says that a request was carried out (PROTOCOL.mux section 10).
type OK struct{ RequestID uint32 }

// PermissionDenied says that the master's user refused a request (PROTOCOL.mux
// section 10).
type PermissionDenied struct {
	RequestID uint32
	Reason    string // for the slave's user
}

// Failure says that a request could not be carried out (PROTOCOL.mux section
// 10).
type Failure struct {
	RequestID uint32
	Reason    string // for the slave's user
}

// ExitMessage is the exit status of a session (PROTOCOL.mux section 2). Output
// may still follow on the slave's descriptors, until the connection ends. A
// session without one did not end by itself.
type ExitMessage struct {
	SessionID uint32
	Status    uint32 // ssh exits with its low eight bits
}

// Alive is the answer to AliveCheck (PROTOCOL.mux section 4).
type Alive struct {
	RequestID uint32
	PID       uint32 // where slaves send SIGWINCH when their terminal's size changed
}

// SessionOpened says that a session or a stdio forward began (PROTOCOL.mux
// sections 2 and 3).
type SessionOpened struct {
	RequestID uint32
	SessionID uint32 // ExitMessage and TTYAllocFail refer to it
}

// RemotePort says that a remote forward of port 0 was opened, and on which port
// (PROTOCOL.mux section 6).
type RemotePort struct {
	RequestID uint32
	Port      uint32
}

// TTYAllocFail says that the host refused a terminal to a session, which goes
// on without (PROTOCOL.mux section 2).
type TTYAllocFail struct{ SessionID uint32 }

// ProxyReply is the last message before SSH packets (PROTOCOL.mux section 9).
type ProxyReply struct{ RequestID uint32 }

// InfoReply is the answer to InfoRequest (OpenSSH 10.3 and later, mux.c).
type InfoReply struct {
	RequestID uint32
	OK        bool   // false: Text says why there is none
	Text      string // lines that end in CR LF
}
