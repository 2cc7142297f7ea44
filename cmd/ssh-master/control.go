package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"sshmaster/master"
	"sshmaster/muxproto"
)

// controls is what -O can ask of a running master, ssh-master's or OpenSSH's.
// What they print is what `ssh -O` prints.
var controls = map[string]func(context.Context, *muxproto.Client, *master.Host) error{
	"check":    check,
	"exit":     exit,
	"stop":     stop,
	"forward":  forward,
	"cancel":   cancel,
	"conninfo": info("connection"),
	"channels": info("channels"),
}

// sunPath is the size of a socket's address, with its final NUL.
const sunPath = 108

// runControl carries out -O.
func (c *command) runControl(ctx context.Context) error {
	path, host, err := c.controlPath(ctx)
	if err != nil {
		return err
	}
	if len(path) >= sunPath {
		return fmt.Errorf("ControlPath too long ('%s' >= %d bytes)", path, sunPath)
	}
	client, err := muxproto.Dial(ctx, path)
	if err != nil {
		return connectError(path, err)
	}
	defer client.Close()
	return controls[c.control](ctx, client, host)
}

// controlPath finds the socket. With -S alone nothing has to be resolved; the
// forwards come with a destination.
func (c *command) controlPath(ctx context.Context) (string, *master.Host, error) {
	if c.destination == "" {
		return c.socket, &master.Host{}, nil
	}
	host, err := c.resolve(ctx)
	if err != nil {
		return "", nil, err
	}
	if host.ControlPath == "" {
		return "", nil, errors.New(`No ControlPath specified for "-O" command`)
	}
	return host.ControlPath, host, nil
}

func connectError(path string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Errorf("Control socket connect(%s): %s", path, capital(errno.Error()))
	}
	return fmt.Errorf("Control socket connect(%s): %w", path, err)
}

func check(ctx context.Context, c *muxproto.Client, _ *master.Host) error {
	pid, err := c.Alive(ctx)
	if err != nil {
		return fmt.Errorf("master alive check failed: %w", err)
	}
	say("Master running (pid=%d)", pid)
	return nil
}

func exit(ctx context.Context, c *muxproto.Client, _ *master.Host) error {
	if err := c.Terminate(ctx); err != nil {
		return masterSaid("termination", err)
	}
	say("Exit request sent.")
	return nil
}

func stop(ctx context.Context, c *muxproto.Client, _ *master.Host) error {
	if err := c.StopListening(ctx); err != nil {
		return masterSaid("stop listening", err)
	}
	say("Stop listening request sent.")
	return nil
}

// forward asks for each forward of the command line and the configuration, and
// prints the port where the host was to choose one.
func forward(ctx context.Context, c *muxproto.Client, host *master.Host) error {
	var failed error
	for _, f := range master.Forwards(host) {
		port, err := c.OpenForward(ctx, f)
		if err != nil {
			failed = masterSaid("forwarding", err)
			say("%s", failed)
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
func cancel(ctx context.Context, c *muxproto.Client, host *master.Host) error {
	for _, f := range master.Forwards(host) {
		if err := c.CloseForward(ctx, f); err != nil {
			say("%s", masterSaid("cancel forward", err))
		}
	}
	return nil
}

// info prints a text that the master knows.
func info(name string) func(context.Context, *muxproto.Client, *master.Host) error {
	return func(ctx context.Context, c *muxproto.Client, _ *master.Host) error {
		text, err := c.Info(ctx, name)
		if err != nil {
			return err
		}
		fmt.Print(text)
		return nil
	}
}

// masterSaid words what a master answered as ssh words it.
func masterSaid(what string, err error) error {
	var reply *muxproto.ReplyError
	switch {
	case !errors.As(err, &reply):
		return err
	case reply.Denied:
		return fmt.Errorf("Master refused %s request: %s", what, reply.Reason)
	default:
		return fmt.Errorf("%s request failed: %s", what, reply.Reason)
	}
}

// say writes one line to standard error.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\r\n", args...) }
