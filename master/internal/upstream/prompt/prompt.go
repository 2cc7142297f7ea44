// Package prompt is how a link asks a person: a password, a passphrase, the
// code of a second factor, or yes and no to an unknown host key.
//
// The packages that need an answer take a [Prompter] and know nothing of
// terminals; whoever owns the terminal (the command, or a waiting slave)
// brings one.
package prompt

import (
	"context"
	"errors"
)

// ErrNoPrompt says that nobody can be asked: no terminal, no askpass program,
// or BatchMode.
var ErrNoPrompt = errors.New("nobody can be asked: no terminal and no askpass program")

// ErrCancelled says that the person asked refused to answer: an interrupt at
// the terminal, or the askpass program's exit status.
var ErrCancelled = errors.New("the question was cancelled")

// A Question is one line asked of one person.
type Question struct {
	// Text is shown as it stands, without a newline after it. Whoever puts
	// bytes of the server's into it has stripped them of control characters.
	Text string

	// Echo shows what is typed. Secrets are asked for without.
	Echo bool

	// Confirm asks for a plain yes or no; an askpass program is told so by
	// SSH_ASKPASS_PROMPT=confirm. The answer is "yes" or "no".
	Confirm bool
}

// A Prompter asks one question and returns the answer without its newline.
//
// It returns [ErrNoPrompt] when nobody can be asked, [ErrCancelled] when the
// person declined, and the context's error when ctx ended first. Prompters are
// safe for concurrent use and ask one question at a time.
type Prompter interface {
	Prompt(ctx context.Context, q Question) (string, error)
}

// Nobody is the Prompter of a master that has no one to ask.
type Nobody struct{}

// Prompt returns [ErrNoPrompt].
func (Nobody) Prompt(context.Context, Question) (string, error) { return "", ErrNoPrompt }
