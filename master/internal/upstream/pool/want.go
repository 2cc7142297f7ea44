package pool

import (
	"sshmaster/master/internal/upstream/prompt"
)

// A Guest is somebody who waits and can be told why, and who may be asked what a
// login asks.
type Guest interface {
	prompt.Prompter

	// Tell shows one line, if there is a terminal to show it on.
	Tell(line string)

	// Close ends the waiting: nothing is told or asked any more when it returns.
	Close()
}

// A Want says what a channel is wanted for.
type Want struct {
	// TTY says that it is a session on a terminal, where delays are felt; Bulk
	// that it will move much data.
	TTY, Bulk bool

	// Guest returns who waits. It is called at most once, when it turns out that
	// there is something to wait for; the guest is closed before the wait is
	// over. Nil is nobody in particular.
	Guest func() Guest

	kind  kind
	name  string // of the channel
	extra []byte
}

// A kind is what a seat is for.
type kind int

const (
	session kind = iota // a channel of type session, of which the host may limit the number
	stream              // any other channel
	home                // global requests
)
