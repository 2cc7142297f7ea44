// Ssh-master is the OpenSSH ControlMaster: it connects to a host once and lets
// unmodified ssh, scp, sftp, rsync and git share that connection through a
// control socket. It takes ssh's own command line; see ssh-master(1).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sshmaster/master"
)

// exitFailure is ssh's own status for whatever failed by itself.
const exitFailure = 255

func main() {
	if cmd, err := parse(os.Args[1:]); err == nil && cmd.holds() {
		fixStacks()
	}
	suitMachine()
	inheritPassedOn()
	ready := inheritReady()
	closeInherited()
	os.Exit(run(os.Args[1:], ready))
}

// holds says whether this process is to hold links.
func (c *command) holds() bool { return !c.help && !c.version && c.control == "" }

// run does what the command line asks for and returns the exit status. Ready is
// the pipe of a master in the background, nil for any other.
func run(args []string, ready *os.File) int {
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
		return cmd.carryOut(context.Background())
	case cmd.destination == "": // every host
		return cmd.runDaemon(context.Background(), args, ready)
	default:
		return cmd.runMaster(context.Background(), args, ready)
	}
}

// fail shows an error of the command line or the configuration, which nothing
// silences, and returns the exit status for it.
func fail(err error) int {
	say("%s", words(err))
	var misused *usageError
	if errors.As(err, &misused) {
		fmt.Fprintln(os.Stderr, usage)
	}
	return exitFailure
}

// runMaster is the program's main job: it returns when the master has ended, or
// has gone into the background as -f and ControlPersist ask for.
func (c *command) runMaster(ctx context.Context, args []string, ready *os.File) int {
	host, err := c.resolve(ctx)
	if err != nil {
		return fail(err)
	}
	if ready == nil && (c.background || host.ForkAfterAuthentication || host.ControlPersist.Enabled) {
		return startBackground(args)
	}
	log, err := c.openLog(host)
	if err != nil {
		return fail(err)
	}
	m, err := master.New(master.Options{
		Host: host, Log: log.Logger, Stderr: os.Stderr,
		Prompter: master.NewPrompter(master.PromptOptions{Env: os.Environ(), Log: log.Logger}),
		Version:  version, Replace: c.replace,
	})
	if err != nil {
		return log.fail(err)
	}
	ctx, stop := endOnSignal(ctx, endSignals)
	defer stop()
	if err := m.Start(ctx); err != nil {
		if s, ok := endedBy(ctx); ok {
			return dieOf(s)
		}
		return log.fail(err)
	}
	// By which slaves say that their terminals have another size.
	onSignal(unix.SIGWINCH, m.Resize)
	if err := detach(log, ready); err != nil {
		m.Shutdown(context.Background())
		return log.fail(err)
	}
	return status(ctx, log, m.Serve(ctx))
}

// status is the exit status that `ssh -M -N` has at the same end: 0 after
// SIGTERM alone.
func status(ctx context.Context, log *logFile, err error) int {
	if s, ok := endedBy(ctx); ok && s == unix.SIGTERM {
		return 0
	}
	if err != nil && !errors.Is(err, master.ErrTerminated) {
		log.Error(err.Error())
	}
	return exitFailure
}
