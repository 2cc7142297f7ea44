package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Reasons of a link's end, for errors.Is.
var (
	ErrClosed       = errors.New("link closed by us")
	ErrTimeout      = errors.New("no sign of life")
	ErrRemoteClosed = errors.New("link closed by the server")
)

// A Stage is how far Dial came before it failed.
type Stage int

// The stages of Dial, in order.
const (
	Configured    Stage = iota // nothing was tried: the configuration does not allow it
	Reached                    // the host could not be reached
	Greeted                    // it did not greet as an SSH server does (RFC 4253 section 4.2)
	Keyed                      // the key exchange failed
	Verified                   // the host's key was not accepted
	Authenticated              // the user was not accepted
)

// String names what failed.
func (s Stage) String() string {
	return [...]string{"configuration", "connection", "greeting", "key exchange", "host key", "authentication"}[s]
}

// A DialError says why Dial failed: one line for a person, naming the host, the
// cause and the remedy where there is one. Err is the cause for errors.Is and
// errors.As.
type DialError struct {
	Stage Stage
	Text  string
	Err   error
}

// Error returns the line.
func (e *DialError) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// A sentence is text for a person with the reasons behind it.
type sentence struct {
	text  string
	cause []error
}

func (s *sentence) Error() string   { return s.text }
func (s *sentence) Unwrap() []error { return s.cause }

// closed is the end that we chose.
func (l *Link) closed() error {
	return &sentence{fmt.Sprintf("Connection to %s closed", l.host), []error{ErrClosed}}
}

// unresponsive is the end of a link whose server gave no sign of life.
func (l *Link) unresponsive(text string) error {
	return &sentence{text, []error{ErrTimeout}}
}

// lost is the end that came over the wire.
func (l *Link) lost(err error) error {
	if reason, text, ok := disconnect(err); ok {
		return &sentence{
			fmt.Sprintf("Received disconnect from %s port %d:%d: %s", l.host, l.port, reason, text),
			[]error{ErrRemoteClosed, err},
		}
	}
	var jump *jumpEnd
	switch {
	case errors.As(err, &jump):
		return &sentence{fmt.Sprintf("Connection to %s lost: %s", l.host, jump), []error{err}}
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF):
		return &sentence{fmt.Sprintf("Connection to %s closed by remote host.", l.host), []error{ErrRemoteClosed, err}}
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return &sentence{fmt.Sprintf("Timeout, server %s not responding.", l.host), []error{ErrTimeout, err}}
	default:
		return &sentence{fmt.Sprintf("Connection to %s lost: %s", l.host, plain(err)), []error{ErrRemoteClosed, err}}
	}
}

// disconnect takes the server's SSH_MSG_DISCONNECT (RFC 4253 section 11.1) out
// of an error. The library's type is its own, so its text is what there is.
func disconnect(err error) (reason uint64, text string, ok bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		rest, found := strings.CutPrefix(err.Error(), "ssh: disconnect, reason ")
		if !found {
			continue
		}
		number, quoted, _ := strings.Cut(rest, ": ")
		reason, nerr := strconv.ParseUint(number, 10, 32)
		text, qerr := strconv.Unquote(quoted)
		return reason, clean(text), nerr == nil && qerr == nil
	}
	return 0, "", false
}

func isDisconnect(err error) bool {
	_, _, ok := disconnect(err)
	return ok
}

// plain is the innermost cause of a network error in a few words, with the
// capital that ssh(1) gives it: "Connection refused". Bytes of the peer's in it
// are made harmless.
func plain(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &errno):
		return capital(errno.Error())
	case errors.As(err, &dns):
		return capital(dns.Err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "Connection timed out"
	case errors.Is(err, context.Canceled):
		return "Interrupted"
	case errors.Is(err, io.EOF):
		return "Connection closed by remote host"
	}
	return clean(strings.TrimPrefix(err.Error(), "ssh: "))
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
