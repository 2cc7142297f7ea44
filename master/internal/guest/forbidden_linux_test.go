package guest_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/guest"
)

// After su or sudo a terminal is somebody else's, and cannot be opened again.
func TestTerminalOfAnotherUser(t *testing.T) {
	d := newDesk(t)
	files := d.files()
	g := newGuest(t, guest.Config{Files: files})
	d.control(func(fd int) error { return unix.Fchmod(fd, 0) })
	unprivileged(t, func() {
		require.EqualError(t, g.Check(), "this ssh runs on another user's terminal: run ssh bastion in a terminal once")
		g.Tell("a line")
	})
	require.Empty(t, d.text())
}

// unprivileged runs f on a thread without any capability, so that root meets
// the refusals that everybody meets.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, none [2]unix.CapUserData
	require.NoError(t, unix.Capget(&header, &had[0]))
	none = had
	none[0].Effective, none[1].Effective = 0, 0
	require.NoError(t, unix.Capset(&header, &none[0]))
	defer func() { require.NoError(t, unix.Capset(&header, &had[0])) }()
	f()
}
