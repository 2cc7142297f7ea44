package prompt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a [Prompter] on a terminal, which is opened for each question and
// closed after it. Without Question.Echo the terminal does not show what is
// typed; it is set back whatever ends the question: the answer, the context, or
// a signal. Prompt returns after that, and nothing is read once it has.
//
// An interrupt (^C), the end of the input (^D on an empty line), and the
// signals HUP, TERM and QUIT cancel the question. Being stopped (^Z) sets the
// terminal back until the process is continued. Other receivers of these
// signals, such as a program's own handler, get them too; a program without a
// handler does not die of a signal that came while it asked.
//
// At a [Seat] the keys raise their signals elsewhere. Whoever waits there ends
// the context when its process is gone, and the seat says when it was stopped.
// The modes are set back unless the shell has done so already; only the echo and
// line editing differ meanwhile, which shells look after.
type Terminal struct {
	seat Seat
	own  bool // the process's own terminal, or one that is treated like it
	turn turn
}

// sayTime bounds how long a line for a terminal that was stopped (^S) waits.
const sayTime = time.Second

// NewTerminal returns the Prompter of the terminal at path; "" is /dev/tty. Any
// path will do that opens the terminal anew; it need not be the process's own,
// but only then do keys raise signals here.
func NewTerminal(path string) *Terminal {
	if path == "" {
		path = "/dev/tty"
	}
	open := func() (*os.File, error) {
		return os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	}
	return &Terminal{seat: Seat{Open: open}, own: true, turn: newTurn()}
}

// NewTerminalAt returns the Prompter of somebody else's terminal.
func NewTerminalAt(s Seat) *Terminal { return &Terminal{seat: s, turn: newTurn()} }

// Prompt asks one question. It returns [ErrNoPrompt] where the terminal cannot
// be opened.
func (t *Terminal) Prompt(ctx context.Context, q Question) (string, error) {
	if err := t.turn.take(ctx); err != nil {
		return "", err
	}
	defer t.turn.give()
	tty, err := t.open()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	d := &dialogue{tty: tty, echo: q.Echo || q.Confirm, text: q.Text}
	if !t.own {
		d.seat = &t.seat
	}
	if !q.Confirm {
		return d.ask(ctx)
	}
	for {
		answer, err := d.ask(ctx)
		if err != nil {
			return "", err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return "yes", nil
		case "n", "no":
			return "no", nil
		}
		d.text = "Please type 'yes' or 'no': "
	}
}

// Check opens the terminal and closes it.
func (t *Terminal) Check() error {
	tty, err := t.open()
	if err != nil {
		return err
	}
	tty.Close()
	return nil
}

// open opens the terminal with an open file of its own, so that nothing set on
// it is seen through other descriptors.
func (t *Terminal) open() (*os.File, error) {
	open := t.seat.Open
	if !t.own {
		open = t.seat.open
	}
	tty, err := open()
	if errors.Is(err, ErrNoPrompt) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPrompt, err)
	}
	if _, err := getModes(tty); err != nil {
		tty.Close()
		return nil, fmt.Errorf("%w: %s is not a terminal: %w", ErrNoPrompt, tty.Name(), err)
	}
	return tty, nil
}

// Notify shows text on a line of its own; there is nothing to take away.
func (t *Terminal) Notify(_ context.Context, text string) (done func()) {
	t.Say(text) // that it cannot be shown stops nobody
	return func() {}
}

// Say shows text and ends the line, without waiting for a question that is
// being asked. A terminal that is stopped is given up after a second.
func (t *Terminal) Say(text string) error {
	tty, err := t.open()
	if err != nil {
		return err
	}
	defer tty.Close()
	end := "\n"
	if modes, err := getModes(tty); err == nil && modes.Oflag&unix.OPOST == 0 {
		end = "\r\n" // somebody has it in raw mode
	}
	tty.SetWriteDeadline(time.Now().Add(sayTime))
	_, err = tty.WriteString(text + end)
	return err
}
