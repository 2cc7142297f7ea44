package stdio_test

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"sshmaster/master/internal/stdio"
)

const patience = 10 * time.Second

// eventually polls: nothing in these tests sleeps for a fixed time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.True(t, soon(patience, ok), what)
}

// descriptors counts the open descriptors of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	return entries(t, "/dev/fd")
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	return len(names)
}

// noLeak fails the test if descriptors or goroutines are left behind. Call it
// before anything is opened.
func noLeak(t *testing.T) {
	t.Helper()
	fds, routines := descriptors(t), runtime.NumGoroutine()
	t.Cleanup(func() {
		left := func() bool { return descriptors(t) <= fds && runtime.NumGoroutine() <= routines }
		if !soon(patience, left) {
			t.Fatalf("descriptors %d, were %d; goroutines %d, were %d\n%s",
				descriptors(t), fds, runtime.NumGoroutine(), routines, allStacks())
		}
	})
}

// soon polls until ok is true, and gives up after a while.
func soon(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// waitingIn counts the goroutines that wait in a call whose stack mentions all
// of the texts.
func waitingIn(texts ...string) int {
	n := 0
next:
	for _, stack := range strings.Split(allStacks(), "\n\n") {
		for _, text := range texts {
			if !strings.Contains(stack, text) {
				continue next
			}
		}
		n++
	}
	return n
}

func allStacks() string {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}

func dup(t *testing.T, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	return n
}

func flagsOf(t *testing.T, fd int) int {
	t.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	require.NoError(t, err)
	return flags
}

func setNonblock(t *testing.T, fd int, on bool) {
	t.Helper()
	require.NoError(t, unix.SetNonblock(fd, on))
}

// open is stdio.Open, closed at the end of the test.
func open(t *testing.T, fd int) *stdio.Stream {
	t.Helper()
	s, err := stdio.Open(fd)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// end is one raw descriptor of a pair, closed with the test or before.
type end struct {
	fd   int
	once sync.Once
}

func newEnd(t *testing.T, fd int) *end {
	e := &end{fd: fd}
	t.Cleanup(e.close)
	return e
}

func (e *end) close() { e.once.Do(func() { unix.Close(e.fd) }) }

// write writes all of text.
func (e *end) write(t *testing.T, text string) {
	t.Helper()
	n, err := unix.Write(e.fd, []byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

// openPTY returns a terminal: the side of the person, and the blocking
// descriptor that a shell and its children share.
func openPTY(t *testing.T) (person, shell *end) {
	t.Helper()
	master, slave, err := pty.Open()
	require.NoError(t, err)
	person = newEnd(t, dup(t, int(master.Fd())))
	shell = newEnd(t, dup(t, int(slave.Fd())))
	master.Close()
	slave.Close()
	setNonblock(t, shell.fd, false)
	setNonblock(t, person.fd, false)
	return person, shell
}

// raw makes the terminal pass bytes as they are.
func raw(t *testing.T, fd int) {
	t.Helper()
	_, err := term.MakeRaw(fd)
	require.NoError(t, err)
}

// modesOf is everything that stty shows, to be compared.
func modesOf(t *testing.T, fd int) *term.State {
	t.Helper()
	modes, err := term.GetState(fd)
	require.NoError(t, err)
	return modes
}

// socketPair returns what sftp passes, and its other end.
func socketPair(t *testing.T, _ bool) (near, far *end) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	return newEnd(t, p[0]), newEnd(t, p[1])
}

// awaitReader returns when the one reader of the test waits.
func awaitReader(t *testing.T) {
	t.Helper()
	eventually(t, "a waiting reader", func() bool {
		return waitingIn("stdio.(*Stream).Read", "[IO wait") > 0 || waitingIn("stdio.(*Stream).Read", "[select") > 0
	})
}

// readSome waits for bytes on a raw descriptor and returns up to 64 KiB.
func readSome(t *testing.T, fd int) string {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(patience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		require.Positive(t, n, "nothing came")
		break
	}
	buf := make([]byte, 64<<10)
	n, err := unix.Read(fd, buf)
	require.NoError(t, err)
	return string(buf[:n])
}

// requireBytes reads as much as want has, and compares.
func requireBytes(t *testing.T, fd int, want string) {
	t.Helper()
	got := ""
	for len(got) < len(want) {
		got += readSome(t, fd)
	}
	require.Equal(t, want, got)
}
