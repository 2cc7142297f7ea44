package muxproto

import (
	"errors"
	"fmt"
)

// What a peer can do wrong. Each ends the connection, for nothing tells where
// the next frame starts.
var (
	// ErrTooLarge is a frame, or an SSH packet after PROXY, longer than MaxFrame.
	ErrTooLarge = errors.New("muxproto: message too large")

	// ErrMalformed is a frame that ends early or says what its type does not allow.
	ErrMalformed = errors.New("muxproto: malformed message")

	// ErrNoDescriptor is a missing descriptor: a byte without one, or the end of
	// the connection in its place.
	ErrNoDescriptor = errors.New("muxproto: no descriptor received")

	// ErrSurplusDescriptor is more than one descriptor beside one byte. All that
	// arrived were closed.
	ErrSurplusDescriptor = errors.New("muxproto: more than one descriptor received at once")
)

// An UnknownTypeError is a message of a type that its reader does not know, or
// that travels in the other direction only. Its frame was read whole, so the
// connection stays usable: a master answers with Failure "unsupported request".
type UnknownTypeError struct {
	Type      Type
	RequestID uint32 // what to answer to
}

// Error implements error.
func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("muxproto: unexpected message %v, request %d", e.Type, e.RequestID)
}

// A ReplyError is a master's no to a request. The connection stays usable,
// unless the master closes it.
type ReplyError struct {
	Op     string // what was asked, as the Client's method in words: "new session"
	Denied bool   // PERMISSION_DENIED, the user said no; otherwise FAILURE
	Reason string // the master's words, control characters removed
}

// Error implements error.
func (e *ReplyError) Error() string {
	verb := "failed"
	if e.Denied {
		verb = "refused by the master"
	}
	return fmt.Sprintf("muxproto: %s %s: %s", e.Op, verb, e.Reason)
}

// malformed says what is wrong with a message.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// malformedMessage adds the type to an error of a cursor.
func malformedMessage(t Type, err error) error {
	return fmt.Errorf("%w, in %v", err, t)
}
