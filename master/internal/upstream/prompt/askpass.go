package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// maxAnswer bounds one answer, in bytes; ssh's own limit is 1,023.
const maxAnswer = 4096

// askpassGrace is how long an askpass program that was told to go may take
// before it is no longer waited for.
const askpassGrace = 2 * time.Second

// usualAskpass is where systems keep the program that SSH_ASKPASS would name.
var usualAskpass = []string{
	"/usr/bin/ssh-askpass",
	"/usr/libexec/ssh-askpass",
	"/usr/libexec/openssh/ssh-askpass",
	"/usr/lib/ssh/ssh-askpass",
	"/usr/local/bin/ssh-askpass",
	"/usr/X11R6/bin/ssh-askpass",
}

// Askpass is a [Prompter] that runs a program for each question, as ssh(1)
// describes under SSH_ASKPASS: the question is its argument, the first line of
// its output the answer, and a failure a cancelled question. To confirm it is
// run with SSH_ASKPASS_PROMPT=confirm and only its exit status counts, to show
// a notice with SSH_ASKPASS_PROMPT=none.
type Askpass struct {
	env  []string
	turn turn
}

// NewAskpass returns the Prompter of the program that env names. The
// program runs with env.
func NewAskpass(env []string) *Askpass {
	return &Askpass{env: env, turn: newTurn()}
}

// Prompt asks one question. When ctx ends first the program is killed.
func (a *Askpass) Prompt(ctx context.Context, q Question) (string, error) {
	if err := a.turn.take(ctx); err != nil {
		return "", err
	}
	defer a.turn.give()
	hint := ""
	if q.Confirm {
		hint = "confirm"
	}
	out, complaint, err := a.run(ctx, q.Text, hint)
	defer clear(out)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.As(err, &exit) && q.Confirm:
		return "no", nil
	case errors.As(err, &exit) && complaint != "":
		return "", fmt.Errorf("%w: %s", ErrCancelled, complaint)
	case errors.As(err, &exit):
		return "", ErrCancelled
	case err != nil:
		return "", fmt.Errorf("%w: askpass: %w", ErrNoPrompt, err)
	}
	answer := firstLine(out)
	if q.Confirm {
		return confirmed(answer), nil
	}
	return answer, nil
}

// Check looks for the program.
func (a *Askpass) Check() error {
	if _, err := a.program(); err != nil {
		return fmt.Errorf("%w: askpass: %w", ErrNoPrompt, err)
	}
	return nil
}

// confirmed reads the output of a program that was asked to confirm: most say
// nothing and succeed, others say yes or no.
func confirmed(answer string) string {
	if answer == "" || strings.EqualFold(answer, "yes") {
		return "yes"
	}
	return "no"
}

// firstLine returns the answer in a program's output.
func firstLine(out []byte) string {
	if end := bytes.IndexAny(out, "\r\n"); end >= 0 {
		out = out[:end]
	}
	return string(out)
}

// Notify shows text in the program until done is called or ctx ends.
func (a *Askpass) Notify(ctx context.Context, text string) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.run(ctx, text, "none") // that it cannot be shown stops nobody
	}()
	return func() {
		cancel()
		<-ended
	}
}

// run runs the program and returns what it printed, which holds the secret, and
// the first line of what it complained about.
func (a *Askpass) run(ctx context.Context, text, hint string) (answer []byte, complaint string, err error) {
	program, err := a.program()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, program, text)
	cmd.Env = a.env
	if hint != "" {
		cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], "SSH_ASKPASS_PROMPT="+hint)
	}
	cmd.WaitDelay = askpassGrace
	stdout, stderr := &capture{}, &capture{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err = cmd.Run()
	if stdout.full {
		err = errors.New("the answer is too long")
	}
	return stdout.data, firstLine(stderr.data), err
}

// program returns the path of the askpass program.
func (a *Askpass) program() (string, error) {
	if name := lookup(a.env, "SSH_ASKPASS"); name != "" {
		return exec.LookPath(name)
	}
	for _, path := range usualAskpass {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", errors.New("SSH_ASKPASS is not set and there is no ssh-askpass program")
}

// A capture keeps the beginning of what a program prints and notes whether there
// was more. It never grows, so that no copy of a secret stays behind.
type capture struct {
	data []byte
	full bool
}

func (c *capture) Write(p []byte) (int, error) {
	if c.data == nil {
		c.data = make([]byte, 0, maxAnswer)
	}
	fits := min(len(p), maxAnswer-len(c.data))
	c.full = c.full || fits < len(p)
	c.data = append(c.data, p[:fits]...)
	return len(p), nil
}
