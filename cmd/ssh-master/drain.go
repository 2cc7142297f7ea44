package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"sshmaster/master"
)

// drainPause is how often a master is asked whether something still runs.
const drainPause = 300 * time.Millisecond

// drain frees the path and waits until nothing runs through the master any more,
// which ends with that. A signal ends the waiting alone.
func (a *asker) drain(ctx context.Context) error {
	ctx, stop := endOnSignal(ctx, endSignals)
	defer stop()
	if err := a.StopListening(ctx); err != nil {
		return masterSaid("stop listening", err)
	}
	progress := a.progress()
	defer progress.clear()
	for {
		s, err := a.status(ctx)
		var foreign *foreignMaster
		switch {
		case errors.As(err, &foreign):
			a.note("Stop listening request sent. The master (pid=%d) is not an ssh-master: it does not tell what still runs.", foreign.pid)
			return nil
		case hasLeft(err):
			return nil
		case err != nil:
			return err
		case remaining(s) == "":
			return nil
		}
		progress.show(remaining(s))
		select {
		case <-time.After(drainPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hasLeft says whether a connection broke because its master has ended, as it does
// after a signal.
func hasLeft(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// remaining is what runs through a master: "3 sessions and 1 forwarded connection
// still run"; "" when nothing does.
func remaining(s master.Status) string {
	var parts []string
	sessions := len(s.Sessions) + s.SessionsLeftOut
	if sessions > 0 {
		parts = append(parts, countText(sessions, "session"))
	}
	if s.Connections > 0 {
		parts = append(parts, countText(s.Connections, "forwarded connection"))
	}
	switch {
	case parts == nil:
		return ""
	case sessions+s.Connections == 1:
		return parts[0] + " still runs"
	}
	return strings.Join(parts, " and ") + " still run"
}

// A progress is a line on a terminal that changes. On nothing else it is silent.
type progress struct {
	out   io.Writer
	shown string
}

func (a *asker) progress() *progress {
	if a.quiet || !term.IsTerminal(int(os.Stderr.Fd())) {
		return &progress{out: io.Discard}
	}
	return &progress{out: os.Stderr}
}

// eraseLine returns to the beginning of a line and empties it.
const eraseLine = "\r\x1b[K"

func (p *progress) show(text string) {
	if text != p.shown {
		fmt.Fprint(p.out, eraseLine+text)
		p.shown = text
	}
}

func (p *progress) clear() {
	if p.shown != "" {
		fmt.Fprint(p.out, eraseLine)
	}
}
