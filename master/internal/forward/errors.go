package forward

import (
	"strings"
	"unicode"

	"sshmaster/muxproto"
)

// The reasons that slaves are told, in OpenSSH's words: programs look for them.
const (
	// ErrInvalid: no master could carry such a forward.
	ErrInvalid = reason("Invalid forwarding request")

	// ErrFailed: nothing could be listened on here. The log has the cause.
	ErrFailed = reason("Port forwarding failed")

	// ErrNotForwarded: there is no such forward to cancel.
	ErrNotForwarded = reason("port not forwarded")
)

// A reason is an error whose text goes over the wire as it is.
type reason string

func (r reason) Error() string { return string(r) }

// A RemoteError says that the host does not listen for a forward.
type RemoteError struct {
	Forward muxproto.Forward
	Cause   error
}

// Error is the reason that slaves are told, in OpenSSH's words.
func (e *RemoteError) Error() string {
	if e.Forward.ListenPort == muxproto.PortStreamLocal {
		return "remote port forwarding failed for listen path " + e.Forward.ListenHost
	}
	return "remote port forwarding failed for listen port " + decimal(e.Forward.ListenPort)
}

// Unwrap returns why: [ErrRefused], or what happened to the link.
func (e *RemoteError) Unwrap() error { return e.Cause }

// failures are several errors on one line.
type failures []error

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (f failures) Unwrap() []error { return f }

// clean makes what the other side sent fit for a log and a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}
