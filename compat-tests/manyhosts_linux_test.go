package compat

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/daemon"
)

// What masters that nobody uses may cost, together.
const (
	manyMasters         = 500
	manyMastersResident = 60 << 20
	manyMastersThreads  = 20
)

// Masters that hold no connection cost next to nothing.
func TestFiveHundredIdleMasters(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"h*": nil})
	e.configure(t, "ControlPath "+filepath.Join(e.Dir, "cm", "%n"))
	require.Equal(t, 0, e.own(t, "-O", "ensure", "h0").Code)
	pid := e.daemon()
	before := resources(t, pid)
	client := daemon.Client{Place: daemon.Place{Socket: e.socket}}
	numbers := make(chan int)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range numbers {
				call := daemon.Call{Args: []string{"-F", e.Config}, Destination: fmt.Sprintf("h%d", i), Dir: e.Dir, Env: environment()}
				if _, err := client.Ensure(t.Context(), call, daemon.Wish{}); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	for i := range manyMasters {
		numbers <- i
	}
	close(numbers)
	all.Wait()
	require.Len(t, e.sockets(t), manyMasters)
	after := resources(t, pid)
	t.Logf("%d masters: %+v, then %+v", manyMasters, before, after)
	require.LessOrEqual(t, after.Resident, manyMastersResident)
	require.LessOrEqual(t, after.Threads, manyMastersThreads)
	require.LessOrEqual(t, after.Descriptors-before.Descriptors, manyMasters)
	require.Zero(t, e.logins("h*"))
	require.Equal(t, Result{}, run(t, e.command(sshMaster(t), "-O", "exit")))
	gone(t, pid)
}
