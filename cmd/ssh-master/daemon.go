package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"sshmaster/master"
	"sshmaster/master/daemon"
)

// ssh-master without a destination: the master of every host.

// runDaemon returns when the daemon has ended, or has gone into the background.
func (c *command) runDaemon(ctx context.Context, args []string, ready *os.File) int {
	if ready == nil && c.background {
		return startBackground(args)
	}
	log, err := c.openLog(&master.Host{})
	if err != nil {
		return fail(err)
	}
	listener, err := c.daemonListener(log)
	var running *master.InUseError
	if errors.As(err, &running) && running.What == "" {
		log.Warn("every host is served already", "socket", running.Path)
		return 0 // a service manager is not to try again and again
	}
	if err != nil {
		return log.fail(err)
	}
	d := daemon.New(daemon.Config{Version: version, PID: os.Getpid(), Log: log.Logger})
	ends := endSignals
	if onTerminal := ready == nil && term.IsTerminal(int(os.Stdin.Fd())); !onTerminal {
		ends = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT}
		onSignal(unix.SIGHUP, func() { log.Warn("reload: " + d.Reload(context.Background())) })
	}
	ctx, stop := endOnSignal(ctx, ends)
	defer stop()
	onSignal(unix.SIGWINCH, d.Resize)
	if err := detach(log, ready); err != nil {
		listener.Close()
		return log.fail(err)
	}
	tellManager()
	d.Serve(ctx, listener)
	if s, ok := endedBy(ctx); ok && s != unix.SIGTERM {
		return exitFailure
	}
	return 0
}

// daemonListener is the daemon's socket: the service manager's, or one at the
// daemon's own place.
func (c *command) daemonListener(log *logFile) (daemon.Listener, error) {
	if l, err := managersListener(); l != nil || err != nil {
		return l, err
	}
	place, err := daemon.Find(os.Environ())
	if err != nil {
		return nil, err
	}
	l, err := daemon.Listen(place, log.Logger)
	if err == nil {
		log.Info("serving every host", "socket", place.Socket)
	}
	return l, err
}

// runDaemonControl asks the daemon as a whole and returns the exit status.
func runDaemonControl(ctx context.Context, do func(context.Context, daemon.Client) error) int {
	place, err := daemon.Find(os.Environ())
	if err == nil {
		err = do(ctx, daemon.Client{Place: place})
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

func endDaemon(ctx context.Context, d daemon.Client) error { return d.End(ctx, false) }

func drainDaemon(ctx context.Context, d daemon.Client) error { return d.End(ctx, true) }

func checkDaemon(ctx context.Context, d daemon.Client) error {
	pid, masters, err := d.Check(ctx)
	if err != nil {
		return err
	}
	hosts := fmt.Sprintf("%d hosts", masters)
	if masters == 1 {
		hosts = "1 host"
	}
	say("Daemon running (pid=%d), %s", pid, hosts)
	return nil
}

func reloadDaemon(ctx context.Context, d daemon.Client) error {
	text, err := d.Reload(ctx)
	if err != nil {
		return err
	}
	say("%s", capital(text)+".")
	return nil
}
