package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"sshmaster/master"
	"sshmaster/master/daemon"
)

// -O ensure, which ~/.ssh/config runs by Match exec before ssh looks for its
// control socket. It is quick, never asks anybody anything, and says yes (0) or no:
// then ssh goes its normal way.

// ensureTime bounds it, the start of a daemon included.
const ensureTime = 5 * time.Second

// runEnsure carries out -O ensure and returns the exit status. To an ssh that runs
// it, it says nothing unless that is what -v asks for: what the ssh prints is read
// by programs.
func (c *command) runEnsure(ctx context.Context) int {
	if os.Getenv(daemon.Resolving) != "" {
		return 0 // by an ssh -G, which wants to know the path and nothing else
	}
	log, err := c.openLog(&master.Host{})
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, ensureTime)
	defer cancel()
	call, byMatch := daemon.Caller(c.destination)
	switch {
	case byMatch:
	case c.destination == "":
		return fail(&usageError{"a destination is missing, and no ssh runs this"})
	default:
		call = daemon.Call{Args: c.sshArgs, Destination: c.destination}.AtHome()
	}
	e, err := c.ensure(ctx, call)
	silent := byMatch && c.verbose == 0 || c.quiet
	switch {
	case err != nil && silent:
		return exitFailure
	case err != nil:
		return log.fail(fmt.Errorf("%s: %w", call.Destination, err))
	case !silent:
		say("%s", ensured(e))
	}
	return 0
}

// ensured says what has become of the path.
func ensured(e daemon.Ensured) string {
	switch {
	case e.PID == 0:
		return fmt.Sprintf("No master at %s, and none is made to end something", e.Control)
	case e.Foreign:
		return fmt.Sprintf("Master running (pid=%d), of somebody else's making, at %s: --replace takes its place", e.PID, e.Control)
	}
	return fmt.Sprintf("Master running (pid=%d) at %s", e.PID, e.Control)
}

var errSeesToItself = errors.New("this ssh names its control socket itself, or is a master: that is left to it")

// ensure asks the daemon, and starts one where there is none.
func (c *command) ensure(ctx context.Context, call daemon.Call) (daemon.Ensured, error) {
	if call.SeesToItself() {
		return daemon.Ensured{}, errSeesToItself
	}
	place, err := daemon.Find(os.Environ())
	if err != nil {
		return daemon.Ensured{}, err
	}
	client := daemon.Client{Place: place}
	wish := daemon.Wish{Replace: c.replace, NotMade: call.Ends()}
	e, err := client.Ensure(ctx, call, wish)
	switch {
	case !errors.Is(err, daemon.ErrNotRunning):
		return e, err
	case wish.NotMade:
		return daemon.Ensured{}, nil
	}
	if err := client.Start(ctx, startDaemon(place)); err != nil {
		return daemon.Ensured{}, err
	}
	return client.Ensure(ctx, call, wish)
}

// largestLog is how long, in bytes, the log of a daemon that nobody sees may be
// before the next daemon begins another.
const largestLog = 1 << 20

// startDaemon returns what starts this program as the daemon, detached from its
// caller, and waits until it accepts connections.
func startDaemon(place daemon.Place) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if info, err := os.Stat(place.Log); err == nil && info.Size() > largestLog {
			_ = os.Rename(place.Log, place.Log+".old")
		}
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("cannot find my own program file: %w", err)
		}
		child := exec.Command(self, "-E", place.Log)
		child.Args[0] = os.Args[0]
		child.Dir = "/" // it must not keep a file system busy
		ready, err := startWithReady(child)
		if err != nil {
			return fmt.Errorf("cannot start the daemon: %w", err)
		}
		defer ready.Close()
		defer context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Unix(1, 0)) })()
		if _, err := ready.Read(make([]byte, 1)); err != nil {
			return fmt.Errorf("the daemon did not start; %s says why", place.Log)
		}
		return child.Process.Release()
	}
}
