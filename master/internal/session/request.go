package session

import (
	"context"
	"log/slog"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/stdio"
)

// An Opener opens channels on a link to the host. It is how a session reaches
// the host without knowing of links.
type Opener interface {
	OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error)
}

// A Reporter tells the slave what happens after its session was opened. Its
// methods are called one at a time, and none after the session is over.
type Reporter interface {
	// Exited carries the exit status of the remote command, at most once. A
	// session that ends without it had none: killed by a signal, refused, or
	// its link lost.
	Exited(status uint32)

	// TTYRefused says that the host gave no terminal; the session goes on
	// without.
	TTYRefused()
}

// A Request is a NEW_SESSION after the master applied its own configuration.
type Request struct {
	// Command is what to run. Empty means a shell, whatever Subsystem says.
	Command string

	// Subsystem takes Command for the name of a subsystem.
	Subsystem bool

	// TTY asks for a remote terminal of type Term, with the modes and the
	// size of the slave's standard input.
	TTY  bool
	Term string

	// Escape is the character that begins an escape on a terminal, or
	// [NoEscape].
	Escape uint32

	// Env is sent in this order, duplicates and empty values included.
	Env []Variable

	// Agent asks the host to forward the authentication agent.
	Agent bool

	// X11 asks the host to forward X11; nil for not.
	X11 *X11

	// KillRemote has the host signal what runs when the slave leaves before its
	// end (RFC 4254 section 6.9). OpenSSH only closes the channel.
	KillRemote bool

	// Info gives the texts of the ~# and ~I escapes, named "channels" and
	// "connection". Nil gives none.
	Info func(name string) (text string, ok bool)

	// Log gets what a person who looks for a fault wants to see.
	Log *slog.Logger
}

// NoEscape in [Request.Escape] turns escapes off (PROTOCOL.mux section 4).
const NoEscape = 0xffffffff

// A Variable is one environment variable.
type Variable struct{ Name, Value string }

// X11 is what x11-req carries (RFC 4254 section 6.3.1).
type X11 struct {
	Protocol string // MIT-MAGIC-COOKIE-1
	Cookie   string // hexadecimal, and not the real one
	Screen   uint32
}

// noSize is the size of what is no terminal.
var noSize stdio.Size
