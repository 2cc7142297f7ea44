package guest_test

import (
	"context"
	"fmt"
	"time"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/stdio"
	"sshmaster/master/internal/upstream/prompt"
)

// A login asks whoever waits for it. Each slave joins for the time of its
// waiting, and hears why it waits when that takes long.
func Example() {
	var env []string // the master's own
	login := prompt.NewCrowd(prompt.CrowdOptions{
		Last:      prompt.Nobody{}, // or the master's own terminal
		Elsewhere: "bastion wants an answer, which is awaited on another terminal",
		Asking:    func(open bool) { /* the clocks of all who wait stand still */ },
	})
	dial := func(_ context.Context, asks prompt.Prompter) error { return prompt.Check(asks) }

	wait := func(ctx context.Context, files *stdio.Set, pid int) error {
		g := guest.New(guest.Config{Files: files, PID: pid, Env: env, Host: "bastion"})
		defer g.Close() // before SESSION_OPENED: from here on every key is the session's
		defer login.Join(g)()
		late := time.AfterFunc(2*time.Second, func() { g.Tell("waiting for bastion") })
		defer late.Stop()
		return dial(ctx, login)
	}
	fmt.Println(wait(context.Background(), nil, 0))
	// Output: this ssh has no terminal to ask on: run ssh bastion in a terminal once
}
