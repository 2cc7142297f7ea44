package muxproto_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// patience bounds every wait. It is no measurement: a test that reaches it has failed.
const patience = 20 * time.Second

// pair returns the two ends of a socket.
func pair(t testing.TB, kind int) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind, 0)
	require.NoError(t, err)
	ends := make([]*net.UnixConn, 2)
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		ends[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { _ = conn.Close() })
	}
	return ends[0], ends[1]
}

// conns returns two connected Conns. Nothing on them waits for ever.
func conns(t testing.TB) (a, b *muxproto.Conn) {
	t.Helper()
	x, y := pair(t, syscall.SOCK_STREAM)
	for _, end := range []*net.UnixConn{x, y} {
		require.NoError(t, end.SetDeadline(time.Now().Add(patience)))
	}
	return muxproto.NewConn(x), muxproto.NewConn(y)
}

// within is a context that does not wait for ever.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// tempFile is an open file with a content, closed when the test ends.
func tempFile(t testing.TB, content string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	_, err = f.WriteString(content)
	require.NoError(t, err)
	_, err = f.Seek(0, 0)
	require.NoError(t, err)
	return f
}

// openFDs counts the descriptors of this process.
func openFDs(t testing.TB) int {
	t.Helper()
	dir := "/dev/fd"
	if runtime.GOOS == "linux" {
		dir = "/proc/self/fd"
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	return len(entries)
}

// noLeak runs f and requires that as many descriptors and goroutines are there
// afterwards as before.
func noLeak(t testing.TB, f func()) {
	t.Helper()
	fds, goroutines := openFDs(t), runtime.NumGoroutine()
	f()
	require.Eventually(t, func() bool {
		return openFDs(t) <= fds && runtime.NumGoroutine() <= goroutines+1 // Eventually's own
	}, patience, time.Millisecond, "descriptors or goroutines are left over")
}

// program finds a program a test needs. A machine without it skips the test,
// unless CI is set: a test must not vanish unnoticed there.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin", "/sbin"} {
		candidate := name
		if dir != "" {
			candidate = filepath.Join(dir, name)
		}
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed, and CI is set", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// shortDir makes a folder below parent whose path leaves room for a control socket.
func shortDir(t testing.TB, parent string) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, "mp")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
