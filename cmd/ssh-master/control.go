package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"sshmaster/master"
	"sshmaster/muxproto"
)

// An asker asks a running master something.
type asker struct {
	*muxproto.Client // nil until connected
	path             string
	host             *master.Host
	quiet            bool
}

// sunPath is the size of a socket's address, with its final NUL.
const sunPath = 108

// runControl finds the master that is to be asked, does so, and returns the exit
// status.
func (c *command) runControl(ctx context.Context, do func(*command, context.Context, *asker) error) int {
	path, host, err := c.controlPath(ctx)
	if err != nil {
		return fail(err)
	}
	log, err := c.openLog(host)
	if err != nil {
		return fail(err)
	}
	err = do(c, ctx, &asker{path: path, host: host, quiet: c.level(host) == levelQuiet})
	var ended *endSignal
	switch {
	case errors.As(err, &ended):
		return dieOf(ended.signal.(syscall.Signal))
	case err != nil:
		return log.fail(err)
	}
	return 0
}

func (a *asker) connect(ctx context.Context) (err error) {
	if len(a.path) >= sunPath {
		return refuse("ControlPath too long ('%s' >= %d bytes)", a.path, sunPath)
	}
	if a.Client, err = muxproto.Dial(ctx, a.path); err != nil {
		return connectError(a.path, err)
	}
	return nil
}

// controlPath finds the socket. With -S alone nothing has to be resolved; the
// forwards come with a destination. Without either it is the zero path.
func (c *command) controlPath(ctx context.Context) (string, *master.Host, error) {
	if c.destination == "" {
		return c.socket, &master.Host{}, nil
	}
	host, err := c.resolve(ctx)
	if err != nil {
		return "", nil, err
	}
	if host.ControlPath == "" {
		return "", nil, refuse(`No ControlPath specified for "-O" command`)
	}
	return host.ControlPath, host, nil
}

func connectError(path string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return refuse("Control socket connect(%s): %s", path, capital(errno.Error()))
	}
	return refuse("Control socket connect(%s): %v", path, err)
}

func (a *asker) check(ctx context.Context) error {
	pid, err := a.Alive(ctx)
	if err != nil {
		return fmt.Errorf("master alive check failed: %w", err)
	}
	say("Master running (pid=%d)", pid)
	return nil
}

func (a *asker) exit(ctx context.Context) error {
	if err := a.Terminate(ctx); err != nil {
		return masterSaid("termination", err)
	}
	a.note("Exit request sent.")
	return nil
}

func (a *asker) stop(ctx context.Context) error {
	if err := a.StopListening(ctx); err != nil {
		return masterSaid("stop listening", err)
	}
	a.note("Stop listening request sent.")
	return nil
}

// forward asks for each forward of the command line and the configuration, and
// prints the port where the host was to choose one.
func (a *asker) forward(ctx context.Context) error {
	var failed error
	for _, f := range master.Forwards(a.host) {
		port, err := a.OpenForward(ctx, f)
		if err != nil {
			failed = masterSaid("forwarding", err)
			a.note("%s", words(failed))
			continue
		}
		if port != 0 {
			fmt.Println(port)
		}
	}
	if failed != nil {
		return errors.New("master forward request failed")
	}
	return nil
}

// cancel takes each forward back. Like OpenSSH's it succeeds when some were not
// there, and says so.
func (a *asker) cancel(ctx context.Context) error {
	for _, f := range master.Forwards(a.host) {
		if err := a.CloseForward(ctx, f); err != nil {
			a.note("%s", words(masterSaid("cancel forward", err)))
		}
	}
	return nil
}

// info prints a text that the master knows.
func info(name string) func(*asker, context.Context) error {
	return func(a *asker, ctx context.Context) error {
		text, err := a.Info(ctx, name)
		if err != nil {
			return err
		}
		fmt.Print(text)
		return nil
	}
}

// rotate has new sessions use a new connection, which only ssh-master can.
func (a *asker) rotate(ctx context.Context) error {
	text, err := a.Info(ctx, "rotate@ssh-master")
	if err != nil {
		return fmt.Errorf("this master cannot rotate its connection: %w", err)
	}
	a.note("%s", capital(text)+".")
	return nil
}

// masterSaid words what a master answered as ssh words it.
func masterSaid(what string, err error) error {
	var reply *muxproto.ReplyError
	switch {
	case !errors.As(err, &reply):
		return err
	case reply.Denied:
		return refuse("Master refused %s request: %s", what, reply.Reason)
	default:
		return fmt.Errorf("%s request failed: %s", what, reply.Reason)
	}
}

// note says something that -q silences.
func (a *asker) note(format string, args ...any) {
	if !a.quiet {
		say(format, args...)
	}
}
