package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A DeniedError is a login that failed: one line that names the host, the
// cause and the remedy, beginning as ssh's does.
type DeniedError struct {
	User, Host string
	Methods    []string // what the host would still take
	Cause      string
	Remedy     string // "" is none
	Err        error  // what the handshake returned
}

// Error returns the line.
func (e *DeniedError) Error() string {
	text := fmt.Sprintf("%s@%s: Permission denied (%s)", cleanLine(e.User), cleanLine(e.Host), cleanLine(strings.Join(e.Methods, ",")))
	if e.Cause != "" {
		text += ": " + e.Cause
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns what the handshake returned.
func (e *DeniedError) Unwrap() error { return e.Err }

var (
	disconnected = regexp.MustCompile(`ssh: disconnect, reason \d+: (".*")`)
	tooMany      = regexp.MustCompile(`(?i)too many authentication (failures|attempts)`)
)

// changeRequest is how the library reports SSH_MSG_USERAUTH_PASSWD_CHANGEREQ
// (60, RFC 4252 section 8), which it does not know.
const changeRequest = "unexpected message type 60"

// Explain puts the error of a failed handshake into words. An error that has
// nothing to do with authentication is returned as it is.
func (a *Auth) Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case a.stop != nil:
		return a.denied(errors.Join(a.stop, err), cleanLine(a.stop.Error()), "")
	case tooMany.MatchString(err.Error()):
		return a.tooMany(err)
	case !a.begun:
		return err
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return &failure{text: a.who() + ": the login was given up: " + cleanLine(err.Error()), err: err}
	case disconnected.MatchString(err.Error()):
		return &failure{text: a.who() + ": the host ended the login: " + disconnectReason(err), err: err}
	case strings.Contains(err.Error(), changeRequest) && a.Method() == methodPassword:
		return a.denied(err, "the password has expired and must be changed", "log in with ssh once and change it")
	case a.ended && !a.gasped:
		return a.refused(err)
	case a.gasped || isHangup(err):
		return &failure{text: a.who() + ": the host closed the connection during the login, perhaps because it took too long (LoginGraceTime)", err: err}
	}
	return &failure{text: a.who() + ": " + cleanLine(err.Error()), err: err}
}

// A failure is a login that was not denied but did not come to its end.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

func (a *Auth) who() string { return cleanLine(a.c.User) + "@" + cleanLine(a.c.Host) }

func (a *Auth) denied(err error, cause, remedy string) error {
	return &DeniedError{User: a.c.User, Host: a.c.Host, Methods: a.allowed, Cause: cause, Remedy: remedy, Err: err}
}

// tooMany is MaxAuthTries, at which sshd hangs up, and the library's own limit.
func (a *Auth) tooMany(err error) error {
	cause := "too many authentication failures for this host (its MaxAuthTries)"
	if a.keys.offered > 0 {
		cause += fmt.Sprintf(" after %s", count(a.keys.offered, "key"))
	}
	return a.denied(err, cause, "set IdentitiesOnly yes and IdentityFile to the one right key")
}

// refused is the ordinary end: everything was tried.
func (a *Auth) refused(err error) error {
	b, known := a.worst()
	a.warnOfRest(b.cause)
	if !known || b.rank == rankAgentAbsent && a.keys.offered > 0 {
		b.cause, b.remedy = a.summary()
	}
	if (b.rank == rankNobody || b.rank == rankRestricted) && a.takesKeys() {
		cause, _ := a.summary()
		b.cause = cause + ", and " + b.cause
	}
	return a.denied(err, b.cause, b.remedy)
}

// summary says in general why nothing was left to try.
func (a *Auth) summary() (cause, remedy string) {
	switch {
	case a.keys.offered == 1:
		return "the host does not accept the key offered", "add its public half to authorized_keys there (ssh-copy-id)"
	case a.keys.offered > 1:
		return "the host accepts none of the " + count(a.keys.offered, "key") + " offered",
			"add the right public half to authorized_keys there (ssh-copy-id)"
	case a.takesKeys():
		return "there is no key to offer", "name one with IdentityFile, or load it into ssh-agent (ssh-add)"
	case a.anyKnown():
		return "what the host takes is switched off or not preferred here",
			"look at PreferredAuthentications and the ...Authentication options"
	}
	return "the host takes no method that works here", "use ssh itself for this host"
}

// takesKeys says whether keys could have done it.
func (a *Auth) takesKeys() bool {
	return a.c.PubkeyAuthentication && (a.keys.offered > 0 || slices.Contains(a.allowed, methodPublicKey))
}

// anyKnown says whether the host takes a method that exists here.
func (a *Auth) anyKnown() bool {
	return slices.ContainsFunc(a.allowed, func(name string) bool { return slices.Contains(sshOrder, name) })
}

// disconnectReason returns the words of a disconnect message.
func disconnectReason(err error) string {
	words := disconnected.FindStringSubmatch(err.Error())[1]
	if text, unquoted := strconv.Unquote(words); unquoted == nil {
		words = text
	}
	return cleanLine(words)
}

// isHangup says whether the connection just ended.
func isHangup(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &op)
}

// count writes a number and its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
