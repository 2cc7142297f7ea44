package master_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"sshmaster/master"
)

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
