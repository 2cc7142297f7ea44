// Demo shows ssh-master's main jobs with nothing configured: it starts an SSH server with throw-away keys, logs in once
// without and once with a master, and runs the stock ssh, scp and sftp over the shared connection. Then it lets ssh start
// the master of every host by itself, for two hosts behind a bastion that asks for a one-time code.
//
//	demo PATH-TO-SSH-MASTER
//
// Every command is shown as a user would type it, with what it printed, how long it took, and a bar that compares this with
// a login. Outputs, exit statuses and the number of logins that the server saw are checked: the exit status is 1 when
// anything was not as it should be. Whatever was started is ended again, on Ctrl-C too.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo PATH-TO-SSH-MASTER")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1], &screen{out: os.Stdout, colour: colourful(os.Stdout)}, (*play).perform, (*play).everyHost)
	stop()
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "\ndemo: interrupted; everything is taken down")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// run plays these acts with the master program at that path and takes down everything that it set up.
func run(ctx context.Context, program string, to *screen, acts ...func(*play, context.Context)) error {
	program, err := executable(program)
	if err != nil {
		return err
	}
	for _, name := range []string{"ssh", "scp", "sftp"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("no %s on this machine: install Debian's openssh-client, or what holds it here", name)
		}
	}
	s, err := newStage(program)
	if err != nil {
		return err
	}
	p := &play{stage: s, screen: &screen{out: untilDone{ctx, to.out}, colour: to.colour}}
	for _, act := range acts {
		if ctx.Err() == nil && p.failures == 0 {
			act(p, ctx)
		}
	}
	if err := s.close(); err != nil {
		return err
	}
	if ctx.Err() == nil && p.failures > 0 {
		return fmt.Errorf("failed checks: %d", p.failures)
	}
	return ctx.Err()
}

// executable returns the program's path in a form that does not depend on the folder in which it is run.
func executable(path string) (string, error) {
	found, err := exec.LookPath(path)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", fmt.Errorf("the program to show: %w", err)
	}
	return filepath.Abs(found)
}
