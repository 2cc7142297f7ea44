// Manymasters holds a master for each of several control sockets in one process, as a program that embeds package master
// would, so that its memory can be measured.
//
//	manymasters CONFIG HOST SOCKET...
//
// All lead to the same HOST of an ssh_config, by a connection of their own. It prints "ready" when all sockets serve, and
// runs until it is killed.
package main

import (
	"context"
	"fmt"
	"os"

	"sshmaster/master"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: manymasters CONFIG HOST SOCKET...")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "manymasters:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config, host string, sockets []string) error {
	ends, set := make(chan error), master.NewSet(nil)
	q := master.Query{Args: []string{"-F", config}, Destination: host, OwnFile: "none", Baselines: new(master.Baselines)}
	for _, socket := range sockets {
		to, err := master.Resolve(ctx, q)
		if err != nil {
			return err
		}
		m, err := master.New(master.Options{Host: to, Control: socket, Set: set, Stderr: os.Stderr})
		if err != nil {
			return err
		}
		if err := m.Start(ctx); err != nil {
			return err
		}
		go func() { ends <- m.Serve(ctx) }()
	}
	fmt.Println("ready")
	return <-ends
}
