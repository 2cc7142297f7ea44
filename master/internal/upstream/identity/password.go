package identity

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/prompt"
)

// A passwordAttempt asks for the password as often as it may, RFC 4252 section
// 8.
type passwordAttempt struct {
	a     *Auth
	ctx   context.Context
	limit int // passwords to ask for
	asked int
	err   error // of the prompter
}

// passwords is the method. NumberOfPasswordPrompts counts over the whole login.
func (a *Auth) passwords() method {
	used := 0
	var last *passwordAttempt
	return func(ctx context.Context) attempt {
		if last != nil {
			used += last.asked
			if last.err != nil {
				return nil
			}
		}
		if used >= a.c.NumberOfPasswordPrompts || !a.asking(methodPassword) {
			return nil
		}
		last = &passwordAttempt{a: a, ctx: ctx, limit: a.c.NumberOfPasswordPrompts - used}
		return last
	}
}

func (p *passwordAttempt) name() string { return methodPassword }

// method has the library repeat the question after each plain refusal, and only
// then: so it is known what kind of answer ended it.
func (p *passwordAttempt) method() ssh.AuthMethod {
	return ssh.RetryableAuthMethod(ssh.PasswordCallback(p.ask), p.limit)
}

func (p *passwordAttempt) ask() (string, error) {
	text := fmt.Sprintf("%s@%s's password: ", cleanLine(p.a.c.User), cleanLine(p.a.c.Host))
	if p.asked > 0 {
		text = "Permission denied, please try again.\n" + text
	}
	answer, err := p.a.ask(p.ctx, prompt.Question{Text: text})
	if err != nil {
		p.err = err
		return "", err
	}
	p.asked++
	return answer, nil
}

// settle ends the login if the host answered with something else than yes or
// no: the one thing it may say is that the password must be changed.
func (p *passwordAttempt) settle(ctx context.Context, partial bool) {
	switch {
	case partial || ctx.Err() != nil || p.a.stop != nil:
	case errors.Is(p.err, prompt.ErrNoPrompt):
		p.a.blameNobody(secretOf(methodPassword), p.err)
	case p.err != nil:
		p.a.blame(blame{rank: rankNobody, cause: "the password could not be asked for: " + p.err.Error(), remedy: "use a key, or a terminal"})
	case p.asked < p.limit:
		p.a.finish()
	default:
		p.a.blame(blame{rank: rankPassword,
			cause:  "wrong password, " + times(p.asked),
			remedy: "try again, or use a key (ssh-copy-id)"})
	}
}
