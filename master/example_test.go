package master_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"sshmaster/master"
)

// A program that is there for several hosts, and connects to each when ssh first
// needs it. Behind a jump host they log in there once.
func ExampleSet() {
	ctx := context.Background()
	set := master.NewSet(slog.Default())
	defer set.Close()
	q := master.Query{Args: []string{"-o", "ControlPath=~/.ssh/cm-%C", "-o", "ControlPersist=10m"}, Baselines: new(master.Baselines)}
	var serving sync.WaitGroup
	for _, q.Destination = range []string{"inner1", "inner2", "bastion"} {
		host, err := master.Resolve(ctx, q)
		if err != nil {
			fmt.Println(err)
			continue
		}
		m, err := master.New(master.Options{Host: host, Set: set, OnDemand: true, Log: slog.Default()})
		if err != nil {
			fmt.Println(err)
			continue
		}
		serving.Go(func() { fmt.Println(host.OriginalHost, m.Serve(ctx)) })
	}
	serving.Wait()
}

// A program that holds a connection for its user's ssh, until it is told to
// stop.
func Example() {
	ctx := context.Background()
	host, err := master.Resolve(ctx, master.Query{
		Args:        []string{"-o", "ControlPath=~/.ssh/cm-%C"},
		Destination: "bastion",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := master.New(master.Options{
		Host:     host,
		Log:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Prompter: master.NewPrompter(master.PromptOptions{Env: os.Environ()}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ssh bastion now attaches to", host.ControlPath)
	fmt.Println(m.Serve(ctx))
}
