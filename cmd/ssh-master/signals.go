package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endSignal is the cause of the end of a context that a signal ended.
type endSignal struct{ signal os.Signal }

func (e *endSignal) Error() string { return e.signal.String() }

// endSignals are those at which a program of one terminal ends.
var endSignals = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP}

// endOnSignal returns a context that each of the signals ends, so that the master
// leaves cleanly and takes its socket with it; the cause is an [endSignal].
// Whoever sends another a moment later wants the program to end at once; sooner it
// is the same one again, for at the end of a terminal both the system and the
// shell send HUP. A HUP that our caller chose to ignore (nohup) stays ignored.
func endOnSignal(parent context.Context, ends []os.Signal) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	if signal.Ignored(unix.SIGHUP) {
		ends = slices.DeleteFunc(slices.Clone(ends), func(s os.Signal) bool { return s == unix.SIGHUP })
	}
	signal.Ignore(unix.SIGPIPE)
	c := make(chan os.Signal, 1)
	signal.Notify(c, ends...)
	go func() {
		cancel(&endSignal{<-c})
		for soon := time.Now().Add(endTime); ; {
			<-c
			if time.Now().After(soon) {
				os.Exit(exitFailure)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// endedBy is the signal that ended a context of [endOnSignal].
func endedBy(ctx context.Context) (s syscall.Signal, ok bool) {
	var by *endSignal
	if !errors.As(context.Cause(ctx), &by) {
		return 0, false
	}
	s, ok = by.signal.(syscall.Signal)
	return s, ok
}

// dieOf ends the program as one ends that does not handle a signal, without a
// word: a shell then knows that its user has interrupted the command, and does
// not go on with the next. It returns the exit status where that cannot be.
func dieOf(s syscall.Signal) int {
	if s != unix.SIGQUIT { // at which a Go program prints its stacks
		signal.Reset(s)
		unix.Kill(os.Getpid(), s)
		time.Sleep(endTime) // signals may take a moment
	}
	return exitFailure
}

// onSignal calls do at each of these signals, one after the other.
func onSignal(s os.Signal, do func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	go func() {
		for range c {
			do()
		}
	}()
}
