package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Terminal is a [Prompter] on a terminal, which is opened for each question and
// closed after it. Without Question.Echo the terminal does not show what is
// typed; it is set back whatever ends the question: the answer, the context, or
// a signal.
//
// An interrupt (^C), the end of the input (^D on an empty line), and the
// signals HUP, TERM and QUIT cancel the question. Being stopped (^Z) sets the
// terminal back until the process is continued. Other receivers of these
// signals, such as a program's own handler, get them too; a program without a
// handler does not die of a signal that came while it asked.
type Terminal struct {
	path string
	turn turn
}

// NewTerminal returns the Prompter of the terminal at path; "" is /dev/tty. Any
// path will do that opens the terminal anew; it need not be the process's own,
// but only then do keys raise signals here.
func NewTerminal(path string) *Terminal {
	if path == "" {
		path = "/dev/tty"
	}
	return &Terminal{path: path, turn: newTurn()}
}

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

// open opens the terminal with an open file of its own, so that nothing set on
// it is seen through other descriptors.
func (t *Terminal) open() (*os.File, error) {
	tty, err := os.OpenFile(t.path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPrompt, err)
	}
	if _, err := getModes(tty); err != nil {
		tty.Close()
		return nil, fmt.Errorf("%w: %s is not a terminal: %w", ErrNoPrompt, t.path, err)
	}
	return tty, nil
}

// Notify shows text on a line of its own; there is nothing to take away.
func (t *Terminal) Notify(_ context.Context, text string) (done func()) {
	t.print(text + "\n") // that it cannot be shown stops nobody
	return func() {}
}

// print writes text, without waiting for a question that is being asked.
func (t *Terminal) print(text string) error {
	tty, err := t.open()
	if err != nil {
		return err
	}
	defer tty.Close()
	_, err = tty.WriteString(text)
	return err
}

// A dialogue is one question on an open terminal.
type dialogue struct {
	tty      *os.File
	echo     bool
	text     string
	saved    *unix.Termios
	answered bool
}

// line is what reading came to.
type line struct {
	text []byte
	err  error
}

// ask shows the question and returns the line typed.
func (d *dialogue) ask(ctx context.Context) (string, error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP)
	defer signal.Stop(signals)
	if err := d.show(); err != nil {
		return "", err
	}
	defer d.leave()
	read := make(chan line, 1)
	go d.readLine(read)
	for {
		select {
		case got := <-read:
			defer clear(got.text)
			d.answered = got.err == nil
			return string(got.text), got.err
		case <-ctx.Done():
			d.abandon(read)
			return "", context.Cause(ctx)
		case s := <-signals:
			if s != syscall.SIGTSTP {
				d.abandon(read)
				return "", ErrCancelled
			}
			if err := d.pause(ctx); err != nil {
				d.abandon(read)
				return "", err
			}
		}
	}
}

// show hides what is typed, if it is to be hidden, and prints the question. The
// carriage return is ssh's: it covers what was typed too early.
func (d *dialogue) show() error {
	saved, err := getModes(d.tty)
	if err != nil {
		return fmt.Errorf("prompt: terminal: %w", err)
	}
	d.saved = saved
	if err := d.hide(); err != nil {
		return fmt.Errorf("prompt: terminal: %w", err)
	}
	if _, err := d.tty.WriteString("\r" + d.text); err != nil {
		d.restore()
		return fmt.Errorf("prompt: terminal: %w", err)
	}
	return nil
}

// hide sets the terminal to lines, and to silence where the question wants it.
// What was typed before is thrown away, so that it cannot become the answer.
func (d *dialogue) hide() error {
	modes := *d.saved
	modes.Lflag |= unix.ICANON | unix.ISIG
	modes.Iflag |= unix.ICRNL
	if d.echo {
		modes.Lflag |= unix.ECHO
	} else {
		modes.Lflag &^= unix.ECHO | unix.ECHONL
	}
	return setModes(d.tty, &modes)
}

func (d *dialogue) restore() { setModes(d.tty, d.saved) }

// leave sets the terminal back and ends the line, if the person did not see it
// end.
func (d *dialogue) leave() {
	d.restore()
	if !d.echo || !d.answered {
		d.tty.WriteString("\n")
	}
}

// pause stops the process as ^Z wants it, with the terminal as it was, and
// shows the question again when it is continued. Only the signal tells that: the
// thread that stops its process runs on for a moment.
func (d *dialogue) pause(ctx context.Context) error {
	d.leave()
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return fmt.Errorf("prompt: stop: %w", err)
	}
	select {
	case <-continued:
		return d.show()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readLine reads up to the end of a line.
func (d *dialogue) readLine(read chan<- line) {
	buffer := make([]byte, 0, maxAnswer)
	for {
		n, err := d.tty.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		end := bytes.IndexAny(buffer, "\r\n")
		switch {
		case end >= 0:
			clear(buffer[end:])
			read <- line{text: buffer[:end]}
			return
		case err != nil:
			clear(buffer)
			read <- line{err: ErrCancelled}
			return
		case len(buffer) == cap(buffer):
			clear(buffer)
			read <- line{err: errors.New("prompt: the answer is too long")}
			return
		}
	}
}

// abandon ends the reading of an answer that nobody waits for.
func (d *dialogue) abandon(read <-chan line) {
	if d.tty.SetReadDeadline(past) != nil {
		return // not pollable here: the next line typed ends it
	}
	got := <-read
	clear(got.text)
}
