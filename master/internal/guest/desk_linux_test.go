package guest_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/stdio"
	"sshmaster/master/internal/upstream/prompt"
)

// patience bounds every wait of a test; none is expected to come near it.
const patience = 20 * time.Second

// A desk is a terminal and the person before it.
type desk struct {
	t      *testing.T
	far    *os.File // what the person sees and types
	near   *os.File // the terminal
	before unix.Termios

	mu   sync.Mutex
	seen strings.Builder
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	far, near, err := pty.Open()
	require.NoError(t, err)
	d := &desk{t: t, far: far, near: near}
	d.before = d.modes()
	var watching sync.WaitGroup
	watching.Go(d.watch)
	t.Cleanup(func() {
		near.Close()
		far.Close()
		watching.Wait()
	})
	return d
}

func (d *desk) watch() {
	buffer := make([]byte, 1024)
	for {
		n, err := d.far.Read(buffer)
		d.mu.Lock()
		d.seen.Write(buffer[:n])
		d.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (d *desk) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen.String()
}

func (d *desk) waitFor(text string, times int) {
	d.t.Helper()
	eventually(d.t, func() bool { return strings.Count(d.text(), text) >= times }, "%q %d times", text, times)
}

func (d *desk) enter(text string) {
	d.t.Helper()
	_, err := d.far.WriteString(text)
	require.NoError(d.t, err)
}

// control lends the terminal's descriptor.
func (d *desk) control(f func(fd int) error) {
	d.t.Helper()
	raw, err := d.near.SyscallConn()
	require.NoError(d.t, err)
	require.NoError(d.t, raw.Control(func(fd uintptr) { err = f(int(fd)) }))
	require.NoError(d.t, err)
}

func (d *desk) modes() (modes unix.Termios) {
	d.t.Helper()
	d.control(func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			modes = *m
		}
		return err
	})
	return modes
}

// waitQuiet waits until a secret is asked for.
func (d *desk) waitQuiet() {
	d.t.Helper()
	eventually(d.t, func() bool { return d.modes().Lflag&unix.ECHO == 0 }, "no echo")
}

// next is what the next program finds typed.
func (d *desk) next() string {
	d.t.Helper()
	var line string
	eventually(d.t, func() bool {
		d.control(func(fd int) error {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if n, _ := unix.Poll(p, 0); n == 0 {
				return nil
			}
			buffer := make([]byte, 100)
			n, err := unix.Read(fd, buffer)
			line = string(buffer[:max(n, 0)])
			return err
		})
		return line != ""
	}, "a line that was typed")
	return line
}

// files passes the terminal three times, as a slave does.
func (d *desk) files() *stdio.Set {
	d.t.Helper()
	var fds [3]int
	d.control(func(fd int) (err error) {
		for i := range fds {
			if fds[i], err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
				return err
			}
		}
		return nil
	})
	return openSet(d.t, fds)
}

func openSet(t *testing.T, fds [3]int) *stdio.Set {
	t.Helper()
	set, err := stdio.OpenSet(fds[0], fds[1], fds[2])
	require.NoError(t, err)
	t.Cleanup(func() { set.Close() })
	return set
}

// noTerminal is what a slave passes that is run by a program.
func noTerminal(t *testing.T) *stdio.Set {
	t.Helper()
	var fds [3]int
	for i := range fds {
		fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		fds[i] = fd
	}
	return openSet(t, fds)
}

// start starts a slave's process in the foreground of the terminal, or without
// one where d is nil.
func (d *desk) start(t *testing.T, cmd *exec.Cmd) *os.Process {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if d != nil {
		cmd.ExtraFiles = []*os.File{d.near}
		cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, 3
	}
	require.NoError(t, cmd.Start())
	var waiting sync.WaitGroup
	waiting.Go(func() { cmd.Wait() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		waiting.Wait()
	})
	return cmd.Process
}

func sleeper() *exec.Cmd { return exec.Command("sleep", "600") }

// readLine returns what a command says first.
func readLine(t *testing.T, cmd *exec.Cmd) (line func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout = w
	t.Cleanup(func() {
		w.Close()
		r.Close()
	})
	return func() string {
		text, err := bufio.NewReader(r).ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(text)
	}
}

func newGuest(t *testing.T, c guest.Config) *guest.Guest {
	t.Helper()
	c.Host = "bastion"
	g := guest.New(c)
	t.Cleanup(g.Close)
	return g
}

type reply struct {
	answer string
	err    error
}

func ask(ctx context.Context, p prompt.Prompter, q prompt.Question) <-chan reply {
	replies := make(chan reply, 1)
	go func() {
		answer, err := p.Prompt(ctx, q)
		replies <- reply{answer, err}
	}()
	return replies
}

func get(t *testing.T, replies <-chan reply) reply {
	t.Helper()
	select {
	case r := <-replies:
		return r
	case <-time.After(patience):
		require.FailNow(t, "no answer")
		return reply{}
	}
}

func eventually(t *testing.T, ok func() bool, message string, args ...any) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			require.FailNowf(t, "it did not come about", message, args...)
		}
	}
}
