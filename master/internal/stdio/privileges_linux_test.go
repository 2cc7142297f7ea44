package stdio_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// unprivileged runs f on a thread without any capability, so that root meets
// the refusals that everybody meets.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	require.NoError(t, unix.Capget(&header, &had[0]))
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	require.NoError(t, unix.Capset(&header, &none[0]))
	defer func() { require.NoError(t, unix.Capset(&header, &had[0])) }()
	f()
}

// openForbidden opens what cannot be opened again, as when su left a master
// without the right to its caller's terminal.
func openForbidden(t *testing.T, fd int) (s *stdio.Stream) {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &st))
	require.NoError(t, unix.Fchmod(fd, 0))
	unprivileged(t, func() { s = open(t, fd) })
	require.NoError(t, s.Control(func(fd int) {
		require.NoError(t, unix.Fchmod(fd, st.Mode&0o777))
	}))
	return s
}
