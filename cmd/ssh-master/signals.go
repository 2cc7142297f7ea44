package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"sshmaster/master"
)

// endOnSignal returns a context that INT, TERM and HUP end, so that the master
// leaves cleanly and takes its socket with it. A second one ends the program at
// once. A HUP that our caller chose to ignore (nohup) stays ignored.
func endOnSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	ends := []os.Signal{unix.SIGINT, unix.SIGTERM}
	if !signal.Ignored(unix.SIGHUP) {
		ends = append(ends, unix.SIGHUP)
	}
	signal.Ignore(unix.SIGPIPE)
	c := make(chan os.Signal, 1)
	signal.Notify(c, ends...)
	go func() {
		<-c
		cancel()
		<-c
		os.Exit(exitFailure)
	}()
	return ctx, cancel
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
