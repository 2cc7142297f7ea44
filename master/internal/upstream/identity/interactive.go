package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/prompt"
)

// Bounds on what a host may ask in one attempt.
const (
	maxRounds    = 100 // requests, also those without a question
	maxQuestions = 100 // questions in one request
)

// An interactiveAttempt is one run of keyboard-interactive, RFC 4256: any
// number of rounds, each with any number of questions.
type interactiveAttempt struct {
	a      *Auth
	ctx    context.Context
	rounds int
	asked  int
	err    error // of the prompter, or a bound
}

// interactively is the method. Like ssh it is tried NumberOfPasswordPrompts
// times, but not again after a host that did not ask anything.
func (a *Auth) interactively() method {
	used := 0
	var last *interactiveAttempt
	return func(ctx context.Context) attempt {
		if last != nil && (last.rounds == 0 || last.err != nil) {
			return nil
		}
		if used >= a.c.NumberOfPasswordPrompts || !a.asking(methodInteractive) {
			return nil
		}
		used++
		last = &interactiveAttempt{a: a, ctx: ctx}
		return last
	}
}

func (i *interactiveAttempt) name() string { return methodInteractive }

func (i *interactiveAttempt) method() ssh.AuthMethod {
	return ssh.KeyboardInteractive(i.round)
}

// round answers one request of the host's.
func (i *interactiveAttempt) round(name, instruction string, questions []string, echos []bool) ([]string, error) {
	i.rounds++
	if i.rounds > maxRounds || len(questions) > maxQuestions {
		i.err = fmt.Errorf("identity: the host asks too much (%d questions in round %d)", len(questions), i.rounds)
		return nil, i.err
	}
	heading := headingOf(name, instruction)
	if len(questions) == 0 {
		i.tell(heading)
		return nil, i.ctx.Err()
	}
	answers := make([]string, len(questions))
	for n, question := range questions {
		answer, err := i.a.ask(i.ctx, prompt.Question{Text: heading + i.label() + Clean(question), Echo: echos[n]})
		if err != nil {
			i.err = err
			return nil, err
		}
		i.asked++
		heading, answers[n] = "", answer
	}
	return answers, nil
}

// label says who asks: a host could ask for the password of another.
func (i *interactiveAttempt) label() string {
	return fmt.Sprintf("(%s@%s) ", cleanLine(i.a.c.User), cleanLine(i.a.c.Host))
}

// tell shows what a host says without asking.
func (i *interactiveAttempt) tell(heading string) {
	heading = strings.TrimRight(heading, "\n")
	if heading == "" {
		return
	}
	done, shown := prompt.Notify(i.ctx, i.a.c.Prompter, heading)
	done()
	if !shown {
		i.a.log.Info(heading)
	}
}

// headingOf puts the name and the instruction of a request above its first
// question, so that they appear where the question does.
func headingOf(name, instruction string) string {
	heading := ""
	for _, text := range []string{name, instruction} {
		if text = strings.TrimRight(Clean(text), "\n"); text != "" {
			heading += text + "\n"
		}
	}
	return heading
}

// settle learns from the outcome.
func (i *interactiveAttempt) settle(ctx context.Context, partial bool) {
	switch {
	case partial || ctx.Err() != nil || i.a.stop != nil:
	case errors.Is(i.err, prompt.ErrNoPrompt):
		i.a.blameNobody(secretOf(methodInteractive), i.err)
	case i.err != nil:
		i.a.blame(blame{rank: rankNobody, cause: i.err.Error(), remedy: "log in with ssh once to see what the host asks"})
	case i.asked > 0:
		i.a.blame(blame{rank: rankPassword, cause: "the host did not accept the answers", remedy: "try again, or use a key (ssh-copy-id)"})
	}
}
