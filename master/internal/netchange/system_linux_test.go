package netchange_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/netchange"
	"sshmaster/master/internal/sshtest"
)

// patience is a bound that only a hang reaches.
const patience = 30 * time.Second

// alone runs do with a network namespace of its own, on a thread that ends with it.
func alone(t *testing.T, do func()) {
	t.Helper()
	sshtest.Program(t, "ip")
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces") // a user's own need a process of one thread, which Go's never is
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skip("this root may make no namespaces: ", err) // as in a container without CAP_SYS_ADMIN; CI's may
	}
}

// awaitNetwork receives events until one is of the network.
func awaitNetwork(t *testing.T, events <-chan netchange.Event, what string) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case e := <-events:
			if e.Network {
				return
			}
		case <-deadline:
			t.Errorf("no event when %s", what)
			return
		}
	}
}

// A link, an address and a route, each added and taken away.
func TestNetwork(t *testing.T) {
	sshtest.NoLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	alone(t, func() {
		events := netchange.Watch(ctx, slog.New(slog.DiscardHandler))
		for _, args := range [][]string{
			{"link", "set", "dev", "lo", "up"},
			{"link", "add", "left", "type", "veth", "peer", "name", "right"},
			{"link", "set", "dev", "left", "up"},
			{"link", "set", "dev", "right", "up"},
			{"addr", "add", "192.0.2.1/24", "dev", "left"},
			{"route", "add", "198.51.100.0/24", "via", "192.0.2.2"},
			{"route", "del", "198.51.100.0/24"},
			{"addr", "add", "2001:db8::1/64", "dev", "left", "nodad"},
			{"-6", "route", "add", "2001:db8:1::/48", "via", "2001:db8::2"},
			{"addr", "del", "192.0.2.1/24", "dev", "left"},
			{"link", "del", "left"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Errorf("ip %v: %v %s", args, err, out)
			}
			awaitNetwork(t, events, "ip "+args[0]+" "+args[1])
		}
		cancel()
		for range events { // until it is closed
		}
	})
	cancel()
}

// More changes at once than the socket holds are changes too, and not its end.
func TestNetworkFlood(t *testing.T) {
	const flood = 3000
	sshtest.NoLeaks(t)
	alone(t, func() {
		next, closeIt, err := netchange.Subscribe()
		if err != nil {
			t.Error(err)
			return
		}
		script := fmt.Sprintf(`ip link set dev lo up; for i in $(seq %d); do echo "addr add 127.1.$((i / 250)).$((i %% 250))/32 dev lo"; done | ip -batch -`, flood)
		if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
		var held atomic.Int32
		ended := make(chan error)
		go func() {
			err := next()
			for ; err == nil; err = next() {
				held.Add(1)
			}
			ended <- err
		}()
		last := int32(-1)
		for ; held.Load() > last; time.Sleep(100 * time.Millisecond) {
			last = held.Load()
		}
		if last == 0 || last >= flood {
			t.Errorf("%d changes came, of %d", last, flood)
		}
		if out, err := exec.Command("ip", "link", "set", "dev", "lo", "down").CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
		for deadline := time.Now().Add(patience); held.Load() == last; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("nothing comes after the flood")
				break
			}
		}
		closeIt()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("the wait ended with %v", err)
		}
	})
}

// The watch runs in a process that is stopped for a while.
func TestStopped(t *testing.T) {
	if os.Getenv("NETCHANGE_WATCH") != "" {
		for e := range netchange.Watch(t.Context(), slog.New(slog.DiscardHandler)) {
			if e.Away > 0 {
				return
			}
		}
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run", "^TestStopped$")
	cmd.Env = append(os.Environ(), "NETCHANGE_WATCH=1")
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			require.NoError(t, err)
			return
		case <-time.After(100 * time.Millisecond):
		}
		// The first stop may come before the watch has begun.
		_ = cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(6 * time.Second) // is what is tested
		_ = cmd.Process.Signal(syscall.SIGCONT)
		select {
		case err := <-ended:
			require.NoError(t, err)
			return
		case <-time.After(3 * netchange.LookEvery):
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	require.Fail(t, "no event after the process was stopped")
}
