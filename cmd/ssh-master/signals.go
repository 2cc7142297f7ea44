package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"sshmaster/master"
)

// endSignal is the cause of the end of a context that a signal ended.
type endSignal struct{ signal os.Signal }

func (e *endSignal) Error() string { return e.signal.String() }

// endOnSignal returns a context that INT, TERM, QUIT and HUP end, so that the
// master leaves cleanly and takes its socket with it; the cause is an
// [endSignal]. A second one ends the program at once. A HUP that our caller
// chose to ignore (nohup) stays ignored.
func endOnSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ends := []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT}
	if !signal.Ignored(unix.SIGHUP) {
		ends = append(ends, unix.SIGHUP)
	}
	signal.Ignore(unix.SIGPIPE)
	c := make(chan os.Signal, 1)
	signal.Notify(c, ends...)
	go func() {
		cancel(&endSignal{<-c})
		<-c
		os.Exit(exitFailure)
	}()
	return ctx, func() { cancel(nil) }
}

// resizeOnSignal passes SIGWINCH on, by which slaves say that their terminals
// have another size.
func resizeOnSignal(m *master.Master) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGWINCH)
	go func() {
		for range c {
			m.Resize()
		}
	}()
}
