package muxproto

import "fmt"

// Version is the protocol version that Hello carries. There is no other in use
// (PROTOCOL.mux section 1).
const Version = 4

// A Type is the number that says what a message is.
type Type uint32

// Message numbers (PROTOCOL.mux section 11, and mux.c for EXT_INFO).
const (
	TypeHello Type = 0x00000001 // greeting, sent by both sides

	TypeNewSession    Type = 0x10000002 // open a session on the slave's descriptors
	TypeAliveCheck    Type = 0x10000004 // ask for the master's process id
	TypeTerminate     Type = 0x10000005 // end the master
	TypeOpenForward   Type = 0x10000006 // start a port forward
	TypeCloseForward  Type = 0x10000007 // cancel a port forward
	TypeStdioForward  Type = 0x10000008 // connect the slave's descriptors to a host and port
	TypeStopListening Type = 0x10000009 // accept no more slaves
	TypeProxy         Type = 0x1000000f // go over to SSH packets
	TypeInfoRequest   Type = 0x20000001 // ask for a text about the connection

	TypeOK               Type = 0x80000001 // done
	TypePermissionDenied Type = 0x80000002 // the master's user said no
	TypeFailure          Type = 0x80000003 // it did not work, with the reason
	TypeExitMessage      Type = 0x80000004 // the exit status of a session
	TypeAlive            Type = 0x80000005 // the master's process id
	TypeSessionOpened    Type = 0x80000006 // a session or stdio forward began
	TypeRemotePort       Type = 0x80000007 // the port the host chose for a remote forward
	TypeTTYAllocFail     Type = 0x80000008 // the host refused a terminal to a session
	TypeProxyReply       Type = 0x8000000f // SSH packets follow
	TypeInfoReply        Type = 0x90000001 // the text asked for
)

// A Direction says who sends a message.
type Direction uint8

// Directions. Hello is sent both ways.
const (
	ToMaster Direction = 1 << iota // slave to master: a request
	ToSlave                        // master to slave: a reply
)

// kind is a row of the table of messages.
type kind struct {
	typ   Type
	name  string // as PROTOCOL.mux and mux.c call it
	dir   Direction
	empty func() Message
}

// kinds is the only list of the messages.
var kinds = []kind{
	{TypeHello, "MUX_MSG_HELLO", ToMaster | ToSlave, func() Message { return new(Hello) }},
	{TypeNewSession, "MUX_C_NEW_SESSION", ToMaster, func() Message { return new(NewSession) }},
	{TypeAliveCheck, "MUX_C_ALIVE_CHECK", ToMaster, func() Message { return new(AliveCheck) }},
	{TypeTerminate, "MUX_C_TERMINATE", ToMaster, func() Message { return new(Terminate) }},
	{TypeOpenForward, "MUX_C_OPEN_FWD", ToMaster, func() Message { return new(OpenForward) }},
	{TypeCloseForward, "MUX_C_CLOSE_FWD", ToMaster, func() Message { return new(CloseForward) }},
	{TypeStdioForward, "MUX_C_NEW_STDIO_FWD", ToMaster, func() Message { return new(NewStdioForward) }},
	{TypeStopListening, "MUX_C_STOP_LISTENING", ToMaster, func() Message { return new(StopListening) }},
	{TypeProxy, "MUX_C_PROXY", ToMaster, func() Message { return new(Proxy) }},
	{TypeInfoRequest, "MUX_C_EXT_INFO", ToMaster, func() Message { return new(InfoRequest) }},
	{TypeOK, "MUX_S_OK", ToSlave, func() Message { return new(OK) }},
	{TypePermissionDenied, "MUX_S_PERMISSION_DENIED", ToSlave, func() Message { return new(PermissionDenied) }},
	{TypeFailure, "MUX_S_FAILURE", ToSlave, func() Message { return new(Failure) }},
	{TypeExitMessage, "MUX_S_EXIT_MESSAGE", ToSlave, func() Message { return new(ExitMessage) }},
	{TypeAlive, "MUX_S_ALIVE", ToSlave, func() Message { return new(Alive) }},
	{TypeSessionOpened, "MUX_S_SESSION_OPENED", ToSlave, func() Message { return new(SessionOpened) }},
	{TypeRemotePort, "MUX_S_REMOTE_PORT", ToSlave, func() Message { return new(RemotePort) }},
	{TypeTTYAllocFail, "MUX_S_TTY_ALLOC_FAIL", ToSlave, func() Message { return new(TTYAllocFail) }},
	{TypeProxyReply, "MUX_S_PROXY", ToSlave, func() Message { return new(ProxyReply) }},
	{TypeInfoReply, "MUX_S_EXT_INFO", ToSlave, func() Message { return new(InfoReply) }},
}

// lookup finds the row of a type, or nil.
func lookup(t Type) *kind {
	for i := range kinds {
		if kinds[i].typ == t {
			return &kinds[i]
		}
	}
	return nil
}

// Types returns all message types, in the order of PROTOCOL.mux.
func Types() []Type {
	types := make([]Type, len(kinds))
	for i, k := range kinds {
		types[i] = k.typ
	}
	return types
}

// String is the name that PROTOCOL.mux gives the type, such as MUX_C_PROXY, or
// the number of an unknown one.
func (t Type) String() string {
	if k := lookup(t); k != nil {
		return k.name
	}
	return fmt.Sprintf("MUX_%#08x", uint32(t))
}

// Direction tells who sends messages of this type. It is 0 for unknown types.
func (t Type) Direction() Direction {
	if k := lookup(t); k != nil {
		return k.dir
	}
	return 0
}

// New returns an empty message of this type, or nil for unknown types.
func (t Type) New() Message {
	if k := lookup(t); k != nil {
		return k.empty()
	}
	return nil
}
