package compat

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// Terminal is a pseudo-terminal with somebody at it: it types, reads, and changes the window's size.
type Terminal struct {
	screen *os.File // the side of who types
	tty    *os.File // the programs' side; held open by the test, so that its flags can be read at any time
	path   string

	mu   sync.Mutex
	got  []byte // guarded by mu; all that was shown and not yet expected
	gone bool   // guarded by mu; nothing more will come
}

// newTerminal opens one of 24 rows and 80 columns, in cooked mode.
func newTerminal(t testing.TB) *Terminal {
	t.Helper()
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	path := tty.Name()
	// Package os made that descriptor non-blocking. A user's terminal is not, and whether it stays so is tested.
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, tty.Close())
	term := &Terminal{screen: unblocked(t, screen), tty: os.NewFile(uintptr(fd), path), path: path}
	term.Resize(t, 24, 80)
	done := make(chan struct{})
	go func() {
		defer close(done)
		term.watch()
	}()
	t.Cleanup(func() {
		_ = term.screen.Close()
		_ = term.tty.Close()
		<-done
	})
	return term
}

// unblocked replaces a file that package pty has made blocking, and whose Read would outlast its Close.
func unblocked(t testing.TB, file *os.File) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(file.Fd()))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	syscall.CloseOnExec(fd)
	require.NoError(t, syscall.SetNonblock(fd, true))
	return os.NewFile(uintptr(fd), file.Name())
}

func (term *Terminal) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := term.screen.Read(buf)
		term.mu.Lock()
		term.got = append(term.got, buf[:n]...)
		term.gone = err != nil
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Start starts a program whose controlling terminal, stdin, stdout and stderr it is.
func (term *Terminal) Start(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environment(env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.tty, term.tty, term.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return start(t, cmd)
}

// Type types.
func (term *Terminal) Type(t testing.TB, keys string) {
	t.Helper()
	_, err := io.WriteString(term.screen, keys)
	require.NoError(t, err)
}

// Expect waits until text was shown and returns what was shown since the last call, up to and with it.
func (term *Terminal) Expect(t testing.TB, text string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if shown, ok := term.take(text); ok {
			return shown
		}
		time.Sleep(2 * time.Millisecond)
	}
	term.mu.Lock()
	defer term.mu.Unlock()
	require.FailNow(t, "not shown on the terminal", "expected %q, shown: %q", text, term.got)
	return ""
}

func (term *Terminal) take(text string) (string, bool) {
	term.mu.Lock()
	defer term.mu.Unlock()
	i := bytes.Index(term.got, []byte(text))
	if i < 0 {
		return "", false
	}
	shown := string(term.got[:i+len(text)])
	term.got = term.got[i+len(text):]
	return shown, true
}

// Ready waits until the far side has said "ready" and ssh has put the terminal into raw mode; the two come in either
// order, and what is typed or shown between them would be seen by the terminal's line editing.
func (term *Terminal) Ready(t testing.TB) {
	t.Helper()
	term.Expect(t, "ready")
	term.Expect(t, "\n")
	term.Raw(t)
}

// Raw waits until ssh has put the terminal into raw mode. Only then does it pass on that the size has changed.
func (term *Terminal) Raw(t testing.TB) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(term.State(t).Modes, "-icanon") }, "the terminal never became raw")
}

// Resize changes the window's size; the system tells the terminal's foreground processes with SIGWINCH.
func (term *Terminal) Resize(t testing.TB, rows, cols uint16) {
	t.Helper()
	require.NoError(t, pty.Setsize(term.tty, &pty.Winsize{Rows: rows, Cols: cols}))
}

// State is what a session must leave behind as it found it.
type State struct {
	Modes string // stty -a
	Flags int    // of the open file description that programs on it share, O_NONBLOCK among them
}

// State reads it.
func (term *Terminal) State(t testing.TB) State {
	t.Helper()
	out, err := exec.Command(program(t, "stty"), "-a", "-F", term.path).Output()
	require.NoError(t, err)
	return State{Modes: strings.TrimSpace(string(out)), Flags: statusFlags(t, term.tty)}
}

// statusFlags is fcntl(F_GETFL).
func statusFlags(t testing.TB, file *os.File) int {
	t.Helper()
	conn, err := file.SyscallConn()
	require.NoError(t, err)
	var flags uintptr
	var errno syscall.Errno
	require.NoError(t, conn.Control(func(fd uintptr) {
		flags, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
	}))
	require.Zero(t, errno)
	return int(flags)
}
