package guest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/stdio"
	"sshmaster/master/internal/upstream/prompt"
	"sshmaster/muxproto"
)

// A hall is a control socket at which real slaves wait while they are asked.
type hall struct {
	t       *testing.T
	path    string
	asked   chan reply  // what came of each question
	typed   chan string // what the session of a slave read
	serving sync.WaitGroup
}

func newHall(t *testing.T) *hall {
	t.Helper()
	sshtest.Program(t, "ssh")
	dir, err := os.MkdirTemp("", "hall") // short: see sun_path
	require.NoError(t, err)
	h := &hall{t: t, path: filepath.Join(dir, "s"), asked: make(chan reply, 10), typed: make(chan string, 10)}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: h.path, Net: "unix"})
	require.NoError(t, err)
	h.serving.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			h.serving.Go(func() { h.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		h.serving.Wait()
		os.RemoveAll(dir)
	})
	return h
}

// command is how a person comes in.
func (h *hall) command(more string) string {
	return "ssh -F none -p 1 -S " + h.path + " 127.0.0.1 " + more
}

// serve speaks with one slave until it has its session and that read a line's
// worth of keys.
func (h *hall) serve(sock *net.UnixConn) {
	conn := muxproto.NewConn(sock)
	defer conn.Close()
	conn.Write(&muxproto.Hello{Version: muxproto.Version})
	for {
		m, err := conn.ReadRequest()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *muxproto.AliveCheck:
			conn.Write(&muxproto.Alive{RequestID: m.RequestID, PID: uint32(os.Getpid())})
		case *muxproto.NewSession:
			h.session(conn, m.RequestID)
			return
		}
	}
}

func (h *hall) session(conn *muxproto.Conn, request uint32) {
	var fds [3]int
	for i := range fds {
		fd, err := conn.ReceiveFD()
		if err != nil {
			return
		}
		fds[i] = fd
	}
	files, err := stdio.OpenSet(fds[0], fds[1], fds[2])
	if err != nil {
		return
	}
	defer files.Close()
	r := h.ask(conn, files)
	h.asked <- r
	if r.err != nil {
		conn.Write(&muxproto.Failure{RequestID: request, Reason: r.err.Error()})
		return
	}
	conn.Write(&muxproto.SessionOpened{RequestID: request, SessionID: 7})
	keys := make([]byte, 5)
	n, _ := files.In.Read(keys)
	h.typed <- string(keys[:n])
	conn.Write(&muxproto.ExitMessage{SessionID: 7, Status: 0})
}

// ask asks the slave until it leaves.
func (h *hall) ask(conn *muxproto.Conn, files *stdio.Set) reply {
	g := guest.New(guest.Config{Files: files, PID: peerOf(conn.UnixConn()), Host: "bastion"})
	defer g.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var watching sync.WaitGroup
	watching.Go(func() {
		if _, err := conn.ReadRequest(); !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(errors.New("the slave left"))
		}
	})
	answer, err := g.Prompt(ctx, code)
	conn.SetReadDeadline(time.Unix(1, 0))
	watching.Wait()
	return reply{answer, err}
}

func peerOf(sock *net.UnixConn) (pid int) {
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// shell starts an interactive shell on the terminal.
func (d *desk) shell(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("only where there is a " + name) // each shell handles the terminal in a way of its own; no other one stands in
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PS1=ready> ", "TERM=dumb", "HOME=/nonexistent"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = d.near, d.near, d.near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	var waiting sync.WaitGroup
	waiting.Go(func() { cmd.Wait() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		waiting.Wait()
	})
	d.waitFor("ready> ", 1)
}

var shells = map[string][]string{"bash": {"--norc", "--noprofile", "-i"}, "dash": {"-i"}, "zsh": {"-f", "-i"}}

// Every key after the answer is the session's, and the terminal comes back as
// it was.
func TestRealSlave(t *testing.T) {
	for name, args := range shells {
		t.Run(name, func(t *testing.T) {
			h, d := newHall(t), newDesk(t)
			d.shell(t, name, args...)
			d.enter(h.command("-tt") + "\n")
			d.waitFor(code.Text, 1)
			d.waitQuiet()
			d.enter("123456\nkeys!")
			require.Equal(t, reply{answer: "123456"}, get(t, h.asked))
			d.enter("\n") // what was typed before the terminal was raw comes with its line at the latest
			require.Equal(t, "keys!", <-h.typed)
			d.waitFor("ready> ", 2)
			d.sane()
		})
	}
}

// ^C takes the slave along, and its shell has a terminal with an echo.
func TestRealSlaveInterrupted(t *testing.T) {
	for name, args := range shells {
		t.Run(name, func(t *testing.T) {
			h, d := newHall(t), newDesk(t)
			d.shell(t, name, args...)
			for n := 1; n <= 5; n++ {
				d.enter(h.command("true") + "\n")
				d.waitFor(code.Text, n)
				d.waitQuiet()
				d.enter("half\x03")
				require.Error(t, get(t, h.asked).err)
				d.waitFor("ready> ", n+1)
			}
			d.sane()
			require.NotContains(t, d.text(), "half")
		})
	}
}

// ^Z gives the terminal to the shell and takes the question away, which the
// slave hears when it goes on.
func TestRealSlaveStopped(t *testing.T) {
	for name, args := range shells {
		t.Run(name, func(t *testing.T) {
			h, d := newHall(t), newDesk(t)
			d.shell(t, name, args...)
			d.enter(h.command("true") + "\n")
			d.waitFor(code.Text, 1)
			d.waitQuiet()
			d.enter("half\x1a")
			require.ErrorContains(t, get(t, h.asked).err, "stopped")
			d.waitFor("ready> ", 2)
			d.enter("fg\n")
			d.waitFor("session request failed: this ssh was stopped", 1)
			d.waitFor("ready> ", 3)
			d.sane()
			require.NotContains(t, d.text(), "half")
		})
	}
}

// Input from elsewhere and errors to a file leave the controlling terminal.
func TestRealSlaveWithoutPassedTerminal(t *testing.T) {
	h, d := newHall(t), newDesk(t)
	d.shell(t, "bash", shells["bash"]...)
	d.enter(h.command("true </dev/null 2>/dev/null | cat") + "\n")
	d.waitFor(code.Text, 1)
	d.enter("123456\n")
	require.Equal(t, reply{answer: "123456"}, get(t, h.asked))
	d.waitFor("ready> ", 2)
	d.sane()
}

// The reason reaches the person through ssh's own words.
func TestRealSlaveThatCannotBeAsked(t *testing.T) {
	h := newHall(t)
	cmd := exec.Command("sh", "-c", h.command("true"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	said, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(said), "session request failed: this ssh has no terminal to ask on: run ssh bastion in a terminal once")
	require.ErrorIs(t, get(t, h.asked).err, prompt.ErrNoPrompt)
}

// sane sees to it that the shell's next program has a terminal as before.
func (d *desk) sane() {
	d.t.Helper()
	d.enter("stty -a; echo do''ne\n")
	d.waitFor("done\r\n", 1)
	for _, mode := range []string{" icanon", " echo ", "\nisig", "\nopost", " susp = ^Z"} {
		require.Contains(d.t, d.text(), mode)
	}
}
