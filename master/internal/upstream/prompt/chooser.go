package prompt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Options are what [New] builds a Prompter from.
type Options struct {
	// Env is the environment of the person asked, NAME=value: SSH_ASKPASS,
	// SSH_ASKPASS_REQUIRE, DISPLAY, WAYLAND_DISPLAY; the askpass program gets
	// all of it.
	Env []string

	// TTY is the terminal's path; "" is /dev/tty, the process's own.
	TTY string

	// Seat is asked at instead of TTY, if it is not nil.
	Seat *Seat

	// Log is told at debug level who is asked; nil is silent.
	Log *slog.Logger
}

// New returns the Prompter that ssh's rules choose, for each question anew:
//
//	SSH_ASKPASS_REQUIRE=force    the askpass program
//	SSH_ASKPASS_REQUIRE=prefer   the askpass program if there is a display
//	SSH_ASKPASS_REQUIRE=never    the terminal
//	otherwise                    the terminal; without one, the askpass
//	                             program if there is a display
//
// A question to confirm goes to the askpass program wherever it may be used. A
// display is DISPLAY or WAYLAND_DISPLAY. Where neither can be used the answer
// is [ErrNoPrompt].
func New(o Options) Prompter {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	terminal := NewTerminal(o.TTY)
	if o.Seat != nil {
		terminal = NewTerminalAt(*o.Seat)
	}
	return &chooser{
		log:      o.Log,
		rules:    readRules(o.Env),
		askpass:  NewAskpass(o.Env),
		terminal: terminal,
	}
}

type chooser struct {
	log      *slog.Logger
	rules    rules
	askpass  *Askpass
	terminal *Terminal
}

// rules is what the environment says.
type rules struct {
	allowed bool // the askpass program may be used
	first   bool // and is, whether there is a terminal or not
}

func readRules(env []string) rules {
	display := lookup(env, "DISPLAY") != "" || lookup(env, "WAYLAND_DISPLAY") != ""
	switch strings.ToLower(lookup(env, "SSH_ASKPASS_REQUIRE")) {
	case "force":
		return rules{allowed: true, first: true}
	case "prefer":
		return rules{allowed: display, first: display}
	case "never":
		return rules{}
	}
	return rules{allowed: display}
}

// lookup returns the value of a variable; of several the last, as os/exec has
// it.
func lookup(env []string, name string) string {
	value := ""
	for _, pair := range env {
		if key, v, _ := strings.Cut(pair, "="); key == name {
			value = v
		}
	}
	return value
}

// Prompt asks by the rules.
func (c *chooser) Prompt(ctx context.Context, q Question) (string, error) {
	if c.rules.first || q.Confirm && c.rules.allowed {
		c.log.Debug("asking by the askpass program")
		return c.askpass.Prompt(ctx, q)
	}
	answer, err := c.terminal.Prompt(ctx, q)
	if errors.Is(err, ErrNoPrompt) && c.rules.allowed {
		c.log.Debug("asking by the askpass program: " + err.Error())
		answer, failed := c.askpass.Prompt(ctx, q)
		return answer, neither(err, failed)
	}
	return answer, err
}

// Check looks for whom [chooser.Prompt] would ask.
func (c *chooser) Check() error {
	if c.rules.first {
		return c.askpass.Check()
	}
	err := c.terminal.Check()
	if err != nil && c.rules.allowed {
		return neither(err, c.askpass.Check())
	}
	return err
}

// neither is the error of the askpass program, with that of the terminal before
// it where there is no such program.
func neither(terminal, askpass error) error {
	if errors.Is(askpass, ErrNoPrompt) {
		return fmt.Errorf("%w; %w", terminal, askpass)
	}
	return askpass
}

// Notify shows text by the same rules.
func (c *chooser) Notify(ctx context.Context, text string) (done func()) {
	if !c.rules.first && c.terminal.Say(text) == nil {
		return func() {}
	}
	if c.rules.allowed {
		return c.askpass.Notify(ctx, text)
	}
	return func() {}
}
