package main

import (
	"context"

	"sshmaster/master/daemon"
)

// A control is a word of -O: what carries it out, by what the command line names,
// and returns the exit status. What is nil cannot be named.
type control struct {
	master func(*command, context.Context) int // a master, by a destination or by -S
	host   func(*command, context.Context) int // a host, by a destination alone
	every  func(*command, context.Context) int // every host, by neither
}

// controls are all of them. What they ask of one master, OpenSSH's or ssh-master's,
// and what they print, is what `ssh -O` does.
var controls = map[string]control{
	"check":    {master: ask((*asker).check), every: askDaemon(checkDaemon)},
	"exit":     {master: ask((*asker).exit), every: askDaemon(endDaemon)},
	"stop":     {master: ask((*asker).stop), every: askDaemon(drainDaemon)},
	"forward":  {master: ask((*asker).forward)},
	"cancel":   {master: ask((*asker).cancel)},
	"conninfo": {master: ask(info("connection"))},
	"channels": {master: ask(info("channels"))},
	"rotate":   {master: ask((*asker).rotate)},
	"drain":    {master: ask((*asker).drain)},
	"list":     {master: view((*command).list), every: view((*command).list)},
	"top":      {master: view((*command).top), every: view((*command).top)},
	"ensure":   {host: (*command).runEnsure, every: (*command).runEnsure}, // the ssh that runs us names its own
	"reload":   {every: askDaemon(reloadDaemon)},
}

// ask connects to the master, and asks it.
func ask(do func(*asker, context.Context) error) func(*command, context.Context) int {
	return view(func(_ *command, ctx context.Context, a *asker) error {
		if err := a.connect(ctx); err != nil {
			return err
		}
		defer a.Close()
		return do(a, ctx)
	})
}

// view finds the master, or with the zero path those of every host, and leaves it
// to do how to ask.
func view(do func(*command, context.Context, *asker) error) func(*command, context.Context) int {
	return func(c *command, ctx context.Context) int { return c.runControl(ctx, do) }
}

// askDaemon asks the daemon as a whole.
func askDaemon(do func(context.Context, daemon.Client) error) func(*command, context.Context) int {
	return func(_ *command, ctx context.Context) int { return runDaemonControl(ctx, do) }
}

// carryOut carries out -O and returns the exit status.
func (c *command) carryOut(ctx context.Context) int {
	k := controls[c.control]
	switch {
	case c.destination == "" && c.socket == "":
		return k.every(c, ctx)
	case k.master != nil:
		return k.master(c, ctx)
	}
	return k.host(c, ctx)
}
