// Serve runs the SSH server of package sshtest alone, for tests and measurements that run real programs against it.
//
//	serve -dir FOLDER [-listen ADDRESS] [-shell HOME | -idle] [-max-sessions N]
//	      [-start-within DURATION] [-version TEXT] [-codes LIST] [-log FILE]
//
// It writes client_key, known_hosts and ssh_config into FOLDER, so that "ssh -F FOLDER/ssh_config demo" is enough to reach
// it, prints "listening ADDRESS" when it is ready, and ends at the end of its standard input or with INT, TERM or HUP.
//
// Without a mode, commands are those of sshtest.Commands: cat, count, echo, yes and so on. With -shell they are real and
// run in the folder HOME. With -idle every session is a cat that takes as little memory as can be.
//
// With -codes a login takes a second factor after the key: one of the listed codes, each of which is good once.
//
// With -start-within a session is closed on which nothing was started for so long.
//
// With -log it writes what clients do into FILE, as it happens: "CONNECTION.CHANNEL WORDS", a line for each event.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"sshmaster/master/internal/sshtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// run serves until ctx or the input ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	dir := flags.String("dir", "", "`folder` for client_key, known_hosts and ssh_config")
	shell := flags.String("shell", "", "run real commands in the folder `home`")
	idle := flags.Bool("idle", false, "every session is an idle cat")
	maxSessions := flags.Int("max-sessions", 0, "sessions on one connection; 0: no limit")
	startWithin := flags.Duration("start-within", 0, "`time` within which a session must start something; 0: any")
	codes := flags.String("codes", "", "`list` of one-time codes, separated by commas, one of which every login must give")
	version := flags.String("version", "SSH-2.0-sshtest", "identification")
	log := flags.String("log", "", "`file` for what clients do")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() > 0 {
		return errors.New("usage: serve -dir FOLDER [-listen ADDRESS] [-shell HOME | -idle]")
	}
	opts := []sshtest.Option{sshtest.NoLog(), sshtest.MaxSessions(*maxSessions), sshtest.StartWithin(*startWithin), sshtest.Version(*version)}
	switch {
	case *idle:
		opts = append(opts, sshtest.Handle(sshtest.Idle))
	case *shell != "":
		opts = append(opts, sshtest.RealShell(*shell))
	}
	if *codes != "" {
		opts = append(opts, sshtest.SecondFactor("One-time code: ", once(strings.Split(*codes, ","))))
	}
	if *log != "" {
		file, err := os.OpenFile(*log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		opts = append(opts, sshtest.LogTo(file))
	}
	srv, err := sshtest.Start(*listen, opts...)
	if err != nil {
		return err
	}
	defer srv.Close()
	if _, err := srv.WriteFiles(*dir); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "listening", srv.Addr())
	await(ctx, stdin)
	return nil
}

// once returns a judge to whom each code is good one time.
func once(codes []string) func(code string) bool {
	var mu sync.Mutex
	return func(code string) bool {
		mu.Lock()
		defer mu.Unlock()
		i := slices.Index(codes, code)
		if i < 0 {
			return false
		}
		codes = slices.Delete(codes, i, i+1)
		return true
	}
}

// await returns when ctx or the input ends. The goroutine that reads stays behind in the first case; the process is
// ending then.
func await(ctx context.Context, stdin io.Reader) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, stdin)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
}
