package compat

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/muxproto"
)

// A light slave is muxproto's client in this process: it costs the same whichever master it asks, and much less than an
// ssh. The descriptors are blocking ones, as a shell's are.

// lightSession runs a command to its end: attached, asked, and the connection closed by the master.
func lightSession(t testing.TB, m *Master, command string, in, out, errors *os.File) {
	t.Helper()
	s := lightStart(t, m, muxproto.NewSession{Command: command}, in, out, errors)
	lightEnd(t, s)
}

func lightStart(t testing.TB, m *Master, req muxproto.NewSession, in, out, errors *os.File) *muxproto.Session {
	t.Helper()
	client, err := muxproto.Dial(t.Context(), m.Control)
	require.NoError(t, err)
	req.EscapeChar, req.Term = muxproto.NoEscape, "xterm"
	s, err := client.NewSession(t.Context(), req, int(in.Fd()), int(out.Fd()), int(errors.Fd()))
	require.NoError(t, err)
	return s
}

func lightEnd(t testing.TB, s *muxproto.Session) {
	t.Helper()
	exit, err := s.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, muxproto.Exit{Known: true}, exit)
	require.NoError(t, s.Close())
}

// null is /dev/null for both directions.
func null(t testing.TB) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// blockingPipe is a pipe as a shell makes it.
func blockingPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	return os.NewFile(uintptr(p[0]), "pipe"), os.NewFile(uintptr(p[1]), "pipe")
}

// intoProgram runs do with the write end of a pipe into a program and waits for both.
func intoProgram(t testing.TB, do func(w *os.File), args ...string) {
	t.Helper()
	r, w := blockingPipe(t)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = r
	require.NoError(t, cmd.Start())
	require.NoError(t, r.Close())
	do(w)
	require.NoError(t, w.Close())
	require.NoError(t, cmd.Wait(), strings.Join(args, " "))
}

// outOfProgram runs do with the read end of a pipe out of a program and waits for both.
func outOfProgram(t testing.TB, do func(r *os.File), args ...string) {
	t.Helper()
	r, w := blockingPipe(t)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout = w
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	do(r)
	require.NoError(t, r.Close())
	require.NoError(t, cmd.Wait(), strings.Join(args, " "))
}

// lightTerminal is a session of its own on a pseudo-terminal, from attaching to its end.
func lightTerminal(t testing.TB, m *Master, command string) time.Duration {
	t.Helper()
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer screen.Close()
	defer tty.Close()
	go io.Copy(io.Discard, screen)
	began := time.Now()
	lightEnd(t, lightStart(t, m, muxproto.NewSession{Command: command, WantTTY: true}, tty, tty, tty))
	return time.Since(began)
}
