package session_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// awaitDrained waits until everything written to a pipe was read from it.
func awaitDrained(t *testing.T, w *os.File) {
	t.Helper()
	raw, err := w.SyscallConn()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		left := -1
		raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
		return left == 0
	}, patience, tick)
}
