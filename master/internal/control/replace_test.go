package control_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/sshtest"
)

func TestHolder(t *testing.T) {
	sshtest.NoLeaks(t)
	dir := shortDir(t)
	holder := func(name string) (uint32, bool) {
		t.Helper()
		pid, live, err := control.Holder(name, dir)
		require.NoError(t, err)
		return pid, live
	}
	pid, live := holder("nobody")
	require.Zero(t, pid)
	require.False(t, live)

	stale(t, filepath.Join(dir, "stale"))
	_, live = holder("stale")
	require.False(t, live)

	m := newMaster(t, filepath.Join(dir, "master"))
	pid, live = holder("master")
	require.EqualValues(t, m.pid, pid)
	require.True(t, live)

	notMaster(t, filepath.Join(dir, "other"))
	pid, live = holder("other")
	require.Zero(t, pid)
	require.True(t, live)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, _, err := control.Holder("file", dir)
	require.ErrorContains(t, err, "regular file")
	_, _, err = control.Holder("missing/s", dir)
	require.ErrorContains(t, err, "mkdir -p")
}

// notMaster accepts connections at path and says nothing.
func notMaster(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

func TestReplace(t *testing.T) {
	sshtest.NoLeaks(t)
	path := filepath.Join(shortDir(t), "s")
	require.NoError(t, control.Replace(t.Context(), path, "/"), "nobody is there")
	stale(t, path)
	require.NoError(t, control.Replace(t.Context(), path, "/"))
	require.NoError(t, os.Remove(path))
	newMaster(t, path, func(c *control.Config) {
		c.StopListening = func() { os.Remove(path) }
	})
	require.NoError(t, control.Replace(t.Context(), path, "/"))
	require.NoFileExists(t, path)
}

func TestReplaceRefused(t *testing.T) {
	sshtest.NoLeaks(t)
	path := filepath.Join(shortDir(t), "s")
	m := newMaster(t, path, func(c *control.Config) {
		c.Confirm = func(context.Context, string) bool { return false }
	})
	err := control.Replace(t.Context(), path, "/")
	var held *control.InUseError
	require.ErrorAs(t, err, &held)
	require.EqualValues(t, m.pid, held.PID)
	require.ErrorContains(t, err, "was asked to stop listening: it refuses: Permission denied;")
	require.True(t, reached(path))
	require.Empty(t, m.calls())
}

func TestReplaceNoMaster(t *testing.T) {
	sshtest.NoLeaks(t)
	path := filepath.Join(shortDir(t), "s")
	notMaster(t, path)
	err := control.Replace(t.Context(), path, "/")
	var held *control.InUseError
	require.ErrorAs(t, err, &held)
	require.ErrorContains(t, err, "who listens there was asked to stop listening: it is no master: ")
	require.True(t, reached(path))
}
