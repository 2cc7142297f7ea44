// Ssh-master is the OpenSSH ControlMaster: it connects to a host once and lets
// unmodified ssh, scp, sftp, rsync and git share that connection through a
// control socket. It takes ssh's own command line; see ssh-master(1).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sshmaster/master"
)

// exitFailure is ssh's own status for whatever failed by itself.
const exitFailure = 255

func main() {
	closeInherited()
	os.Exit(run(os.Args[1:]))
}

// run does what the command line asks for and returns the exit status.
func run(args []string) int {
	cmd, err := parse(args)
	if err != nil {
		return fail(err)
	}
	switch {
	case cmd.help:
		fmt.Print(help())
		return 0
	case cmd.version:
		fmt.Fprintln(os.Stderr, versionLine())
		return 0
	case cmd.control != "":
		err = cmd.runControl(context.Background())
	case cmd.background && !isBackground():
		return startBackground(args)
	default:
		return cmd.runMaster(context.Background())
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// fail shows err and returns the exit status for it.
func fail(err error) int {
	if text := err.Error(); text != "" {
		fmt.Fprintf(os.Stderr, "%s\n", prefixed(text))
	}
	return exitFailure
}

// runMaster is the program's main job: it returns when the master has ended.
func (c *command) runMaster(ctx context.Context) int {
	host, err := c.resolve(ctx)
	if err != nil {
		return fail(err)
	}
	log, err := c.openLog(host)
	if err != nil {
		return fail(err)
	}
	m, err := master.New(master.Options{
		Host: host, Log: log.Logger, Stderr: os.Stderr,
		Prompter: master.NewPrompter(master.PromptOptions{Env: os.Environ(), Log: log.Logger}),
		Version:  version,
	})
	if err != nil {
		return fail(err)
	}
	ctx, stop := endOnSignal(ctx)
	defer stop()
	if err := m.Start(ctx); err != nil {
		return fail(err)
	}
	resizeOnSignal(m)
	if err := detach(log); err != nil {
		m.Shutdown(context.Background())
		return fail(err)
	}
	return status(log, m.Serve(ctx))
}

// status is the exit status that OpenSSH's master has at the same end.
func status(log *logFile, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, master.ErrTerminated):
		return exitFailure
	default:
		log.Error(err.Error())
		return exitFailure
	}
}
