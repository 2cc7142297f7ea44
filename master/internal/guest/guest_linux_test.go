package guest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/prompt"
)

var code = prompt.Question{Text: "(me@bastion) Verification code: "}

func TestAskedOnThePassedTerminal(t *testing.T) {
	sshtest.NoLeaks(t)
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	require.True(t, g.Interactive())
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	d.waitQuiet()
	d.enter("12345\x7f6\n")
	require.Equal(t, reply{answer: "12346"}, get(t, replies))
	require.Equal(t, d.before, d.modes())
	d.waitFor("\r\n", 1)
	require.Equal(t, "\r"+code.Text+"\r\n", d.text())
}

// What a person types ahead is for the session.
func TestOnlyTheAnswerIsRead(t *testing.T) {
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	d.enter("123456\nls -l\n")
	require.Equal(t, reply{answer: "123456"}, get(t, replies))
	g.Close()
	require.Equal(t, "ls -l\n", d.next())
}

// Whatever ends a question sets the terminal back and leaves the next line to
// the next program.
func TestEndsOfAQuestion(t *testing.T) {
	left := errors.New("the slave left")
	for name, c := range map[string]struct {
		end  func(d *desk, slave *os.Process, cancel context.CancelCauseFunc, g *guest.Guest)
		want error
	}{
		"end of input": {func(d *desk, _ *os.Process, _ context.CancelCauseFunc, _ *guest.Guest) {
			d.enter("\x04")
		}, prompt.ErrCancelled},
		"context": {func(_ *desk, _ *os.Process, cancel context.CancelCauseFunc, _ *guest.Guest) {
			cancel(left)
		}, left},
		"half an answer": {func(d *desk, _ *os.Process, cancel context.CancelCauseFunc, _ *guest.Guest) {
			d.enter("half")
			cancel(left)
		}, left},
		"close": {func(_ *desk, _ *os.Process, _ context.CancelCauseFunc, g *guest.Guest) {
			g.Close()
		}, prompt.ErrNoPrompt},
		"interrupt": {func(d *desk, _ *os.Process, _ context.CancelCauseFunc, _ *guest.Guest) {
			d.enter("half\x03")
		}, prompt.ErrNoPrompt},
		"killed": {func(_ *desk, slave *os.Process, _ context.CancelCauseFunc, _ *guest.Guest) {
			slave.Kill()
		}, prompt.ErrNoPrompt},
		"stopped": {func(_ *desk, slave *os.Process, _ context.CancelCauseFunc, _ *guest.Guest) {
			slave.Signal(unix.SIGSTOP)
		}, prompt.ErrNoPrompt},
	} {
		t.Run(name, func(t *testing.T) {
			sshtest.NoLeaks(t)
			d := newDesk(t)
			slave := d.start(t, sleeper())
			g := newGuest(t, guest.Config{Files: d.files(), PID: slave.Pid})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			replies := ask(ctx, g, code)
			d.waitFor(code.Text, 1)
			d.waitQuiet()
			c.end(d, slave, cancel, g)
			require.ErrorIs(t, get(t, replies).err, c.want)
			require.Equal(t, d.before, d.modes())
			d.enter("next\n")
			require.Equal(t, "next\n", d.next())
		})
	}
}

// A shell that has its terminal back keeps the modes that it has set, and gets
// every key.
func TestTerminalTakenByAnother(t *testing.T) {
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	raw := d.before
	raw.Lflag &^= unix.ICANON | unix.ECHO
	d.control(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, &raw) })
	d.enter("k")
	require.ErrorIs(t, get(t, replies).err, prompt.ErrNoPrompt)
	require.Equal(t, raw, d.modes())
	require.Equal(t, "k", d.next())
}

// As ssh opens /dev/tty: ssh host command </dev/null 2>log, or ssh -W.
func TestAskedOnTheControllingTerminal(t *testing.T) {
	sshtest.NoLeaks(t)
	d := newDesk(t)
	slave := d.start(t, sleeper())
	g := newGuest(t, guest.Config{Files: noTerminal(t), PID: slave.Pid})
	require.True(t, g.Interactive())
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	d.enter("123456\n")
	require.Equal(t, reply{answer: "123456"}, get(t, replies))
	require.Equal(t, d.before, d.modes())
}

// /dev/tty is another terminal for everybody who opens it.
func TestPassedDevTTY(t *testing.T) {
	d := newDesk(t)
	cmd := exec.Command("sh", "-c", "exec 4<>/dev/tty; echo ready; sleep 600")
	line := readLine(t, cmd)
	slave := d.start(t, cmd)
	require.Equal(t, "ready", line())
	pidfd, err := unix.PidfdOpen(slave.Pid, 0)
	require.NoError(t, err)
	defer unix.Close(pidfd)
	var fds [3]int
	for i := range fds {
		fds[i], err = unix.PidfdGetfd(pidfd, 4, 0)
		require.NoError(t, err)
	}
	g := newGuest(t, guest.Config{Files: openSet(t, fds), PID: slave.Pid})
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	d.enter("123456\n")
	require.Equal(t, reply{answer: "123456"}, get(t, replies))
	require.Equal(t, d.before, d.modes())
	g.Tell("told")
	d.waitFor("told\r\n", 1)
}

// A job in the background is not asked, and is once it comes to the foreground.
func TestBackground(t *testing.T) {
	d := newDesk(t)
	cmd := exec.Command("sh", "-m", "-c", "sleep 600 & echo $!; read go; fg")
	line := readLine(t, cmd)
	goes, tell, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		goes.Close()
		tell.Close()
	})
	cmd.Stdin = goes
	d.start(t, cmd)
	slave := number(t, line())
	g := newGuest(t, guest.Config{Files: d.files(), PID: slave})
	eventually(t, func() bool { return !g.Interactive() }, "in the background")
	_, err = g.Prompt(t.Context(), code)
	require.ErrorIs(t, err, prompt.ErrNoPrompt)
	require.ErrorContains(t, err, "background")
	require.Empty(t, d.text())

	_, err = tell.WriteString("\n")
	require.NoError(t, err)
	eventually(t, g.Interactive, "in the foreground")
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	d.enter("\x03")
	require.ErrorIs(t, get(t, replies).err, prompt.ErrNoPrompt)
	eventually(t, func() bool { return d.modes() == d.before }, "the modes are back")
}

func TestNobodyToAsk(t *testing.T) {
	sshtest.NoLeaks(t)
	slave := (*desk)(nil).start(t, sleeper())
	for name, pid := range map[string]int{"without a terminal": slave.Pid, "unknown": 0, "gone": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, guest.Config{Files: noTerminal(t), PID: pid})
			require.False(t, g.Interactive())
			_, err := g.Prompt(t.Context(), code)
			require.ErrorIs(t, err, prompt.ErrNoPrompt)
			require.EqualError(t, err, "this ssh has no terminal to ask on: run ssh bastion in a terminal once")
			require.Empty(t, g.Terminal())
		})
	}
}

// Nothing is asked of one who waits no longer.
func TestClosed(t *testing.T) {
	d := newDesk(t)
	g := newGuest(t, guest.Config{Files: d.files()})
	g.Close()
	g.Close()
	_, err := g.Prompt(t.Context(), code)
	require.ErrorIs(t, err, prompt.ErrNoPrompt)
	g.Tell("a line")
	g.Notify(t.Context(), "a notice")()
	require.False(t, g.Interactive())
	require.Empty(t, d.text())
}

// The slave's descriptors are closed by their owner at any time.
func TestFilesClosedByTheirOwner(t *testing.T) {
	d := newDesk(t)
	files := d.files()
	g := newGuest(t, guest.Config{Files: files})
	require.NoError(t, files.Close())
	require.False(t, g.Interactive())
	g.Tell("a line")
}

// Flags live in the open file that the slave shares.
func TestPassedDescriptorsAreNotAltered(t *testing.T) {
	d := newDesk(t)
	flags := func() (n int) {
		d.control(func(fd int) (err error) {
			n, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			return err
		})
		return n
	}
	before := flags()
	g := newGuest(t, guest.Config{Files: d.files()})
	replies := ask(t.Context(), g, code)
	d.waitFor(code.Text, 1)
	require.Equal(t, before, flags())
	d.enter("1\n")
	get(t, replies)
	g.Close()
	require.Equal(t, before, flags())
}

// A master that is told to go sets the terminal back.
func TestMasterEndedBySignal(t *testing.T) {
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT} {
		t.Run(s.String(), func(t *testing.T) {
			d := newDesk(t)
			cmd := exec.Command(os.Args[0])
			cmd.Env = []string{masterVariable + "=1"}
			cmd.ExtraFiles = []*os.File{d.near, d.near, d.near}
			require.NoError(t, cmd.Start())
			d.waitFor(code.Text, 1)
			d.waitQuiet()
			require.NoError(t, cmd.Process.Signal(s))
			require.NoError(t, cmd.Wait())
			require.Equal(t, d.before, d.modes())
		})
	}
}
