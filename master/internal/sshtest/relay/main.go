// Relay runs the relay of package sshtest alone: a network between a client and a server that tests of real programs can
// freeze, delay, narrow and cut, and stop as a whole with SIGSTOP.
//
//	relay -target ADDRESS
//
// It prints "listening ADDRESS" when it is ready, and ends at the end of its standard input or with INT, TERM or HUP. Each
// line of the input is a command, which it answers with a line: "ok", a number, or what is wrong.
//
//	freeze          all traffic stops, and that of later connections
//	freeze-present  the traffic of the present connections stops
//	thaw            it goes on
//	cut             the present connections are reset
//	delay DURATION  everything arrives this much later
//	narrow BYTES    so many bytes a second for each connection and direction; 0 is no limit
//	accepted        how many connections were made so far
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sshmaster/master/internal/sshtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// run relays until ctx or the commands end.
func run(ctx context.Context, args []string, commands io.Reader, answers io.Writer) error {
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	target := flags.String("target", "", "`address` to relay to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *target == "" || flags.NArg() > 0 {
		return errors.New("usage: relay -target ADDRESS")
	}
	r, err := sshtest.StartRelay(*target)
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Fprintln(answers, "listening", r.Addr())
	ended := make(chan struct{})
	go func() { // stays behind when ctx ends first; the process is ending then
		defer close(ended)
		for lines := bufio.NewScanner(commands); lines.Scan(); {
			fmt.Fprintln(answers, obey(r, lines.Text()))
		}
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}

// obey carries out a command and returns the answer.
func obey(r *sshtest.Relay, line string) string {
	command, value, _ := strings.Cut(line, " ")
	switch command {
	case "freeze":
		r.Freeze()
	case "freeze-present":
		r.FreezePresent()
	case "thaw":
		r.Thaw()
	case "cut":
		r.Cut()
	case "delay":
		d, err := time.ParseDuration(value)
		if err != nil {
			return err.Error()
		}
		r.Delay(d)
	case "narrow":
		bytes, err := strconv.Atoi(value)
		if err != nil {
			return err.Error()
		}
		r.Narrow(bytes)
	case "accepted":
		return strconv.Itoa(r.Accepted())
	default:
		return strconv.Quote(command) + " is no command"
	}
	return "ok"
}
