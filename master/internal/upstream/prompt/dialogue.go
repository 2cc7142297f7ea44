package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errSignalled is an [ErrCancelled] by a signal, after which nobody else need
// be asked.
var errSignalled = fmt.Errorf("%w", ErrCancelled)

// A dialogue is one question on an open terminal.
type dialogue struct {
	tty      *os.File
	seat     *Seat // nil on a terminal of our own
	echo     bool
	text     string
	saved    *unix.Termios // as they were before
	ours     *unix.Termios // as they are while the question is open
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
	d.answered = false
	if err := d.show(ctx); err != nil {
		return "", err
	}
	defer d.leave()
	read := make(chan line, 1)
	go d.readLine(read)
	look, stop := d.looks()
	defer stop()
	for {
		select {
		case got := <-read:
			defer clear(got.text)
			d.answered = got.err == nil
			return string(got.text), got.err
		case <-ctx.Done():
			d.abandon(read)
			return "", context.Cause(ctx)
		case <-look:
			if err := d.present(); err != nil {
				d.abandon(read)
				return "", err
			}
		case s := <-signals:
			if s != syscall.SIGTSTP {
				d.abandon(read)
				return "", errSignalled
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
func (d *dialogue) show(ctx context.Context) error {
	saved, err := getModes(d.tty)
	if err != nil {
		return fmt.Errorf("prompt: terminal: %w", err)
	}
	d.saved, d.ours = saved, saved
	if err := d.hide(); err != nil {
		d.restore()
		return fmt.Errorf("prompt: terminal: %w", err)
	}
	waiting := context.AfterFunc(ctx, func() { d.tty.SetWriteDeadline(past) }) // it may be stopped (^S)
	defer waiting()
	if _, err := d.tty.WriteString("\r" + d.text); err != nil {
		d.restore()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
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
	modes.Oflag |= unix.OPOST | unix.ONLCR
	if d.echo {
		modes.Lflag |= unix.ECHO
	} else {
		modes.Lflag &^= unix.ECHO | unix.ECHONL
	}
	if err := setModes(d.tty, &modes); err != nil {
		return err
	}
	d.ours = &modes
	if taken, err := getModes(d.tty); err == nil {
		d.ours = taken // a terminal need not take all of them
	}
	return flushInput(d.tty)
}

// mine says whether the modes are still those of the question.
func (d *dialogue) mine() bool {
	now, err := getModes(d.tty)
	return err == nil && *now == *d.ours
}

// restore sets the terminal back, and says whether it did. Half an answer is
// thrown away, as its place is not the command line of a shell; what was typed
// after an answer is somebody's next line.
func (d *dialogue) restore() bool {
	if d.seat != nil && !d.mine() {
		return false
	}
	if !d.answered {
		flushInput(d.tty)
	}
	return setModes(d.tty, d.saved) == nil
}

// leave sets the terminal back and ends the line, if the person did not see it
// end.
func (d *dialogue) leave() {
	if d.restore() && (!d.echo || !d.answered) {
		d.tty.SetWriteDeadline(time.Now().Add(sayTime))
		d.tty.WriteString("\n")
		d.tty.SetWriteDeadline(time.Time{})
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
		return d.show(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// looks returns what tells that it is time to look whether the seat is still
// the person's.
func (d *dialogue) looks() (look <-chan time.Time, stop func()) {
	if d.seat == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(lookAgain)
	return ticker.C, ticker.Stop
}

// present returns nil while what is typed is typed for the question.
func (d *dialogue) present() error {
	if d.seat.Present != nil {
		if err := d.seat.Present(); err != nil {
			return takenAway(err)
		}
	}
	if !d.mine() {
		return errTaken
	}
	return nil
}

// takenAway is why a question that was shown cannot be answered any more.
func takenAway(err error) error {
	away := &NobodyError{Why: err.Error()}
	var known *NobodyError
	if errors.As(err, &known) {
		*away = *known
	}
	away.Shown = true
	return away
}

// readLine reads up to the end of a line.
func (d *dialogue) readLine(read chan<- line) {
	buffer := make([]byte, 0, maxAnswer)
	for {
		n, err := d.read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		end := bytes.IndexAny(buffer, "\r\n")
		switch {
		case end >= 0:
			clear(buffer[end:])
			read <- line{text: buffer[:end]}
			return
		case errors.Is(err, ErrNoPrompt):
			clear(buffer)
			read <- line{err: err}
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

// read reads what was typed, at a seat only after a look at who is meant.
func (d *dialogue) read(p []byte) (n int, err error) {
	if d.seat == nil {
		return d.tty.Read(p)
	}
	raw, err := d.tty.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := raw.Read(func(fd uintptr) bool {
		if !readable(int(fd)) {
			return false
		}
		if err = d.present(); err != nil {
			return true
		}
		n, err = unix.Read(int(fd), p)
		return err != unix.EAGAIN && err != unix.EINTR
	})
	switch n = max(n, 0); {
	case failed != nil:
		return n, failed
	case n == 0 && err == nil:
		err = io.EOF
	}
	return n, err
}

// readable says whether a read would return at once.
func readable(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}

// abandon ends the reading of an answer that nobody waits for.
func (d *dialogue) abandon(read <-chan line) {
	if d.tty.SetReadDeadline(past) != nil {
		return // not pollable here: the next line typed ends it
	}
	got := <-read
	clear(got.text)
}
