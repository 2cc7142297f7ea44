package control_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/sshtest"
)

// How long a test waits for what must come, and how often it looks.
const (
	patience = 10 * time.Second
	tick     = 2 * time.Millisecond
)

var quiet = slog.New(slog.DiscardHandler)

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, path string) *control.Listener {
	t.Helper()
	folders := control.NewFolders(quiet)
	t.Cleanup(folders.Close)
	return listenIn(t, folders, path)
}

func listenIn(t *testing.T, folders *control.Folders, path string) *control.Listener {
	t.Helper()
	l, err := control.Listen(path, "/", folders, quiet)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// stale leaves a socket behind as a killed master does.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	l.Close()
}

// reached says whether somebody accepts connections at path.
func reached(path string) bool {
	c, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func TestListenIsPrivateAndGoesAway(t *testing.T) {
	sshtest.NoLeaks(t)
	dir := shortDir(t)
	path := filepath.Join(dir, "s")
	l := listen(t, path)
	st, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, st.Mode())
	require.True(t, reached(path))
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// Who has connected before the path was free is served.
func TestCloseAcceptsWhoIsThere(t *testing.T) {
	sshtest.NoLeaks(t)
	const many = 50
	path := filepath.Join(shortDir(t), "s")
	l := listen(t, path)
	for range many {
		c, err := net.Dial("unix", path)
		require.NoError(t, err)
		defer c.Close()
	}
	accepted := make(chan int)
	go func() {
		n := 0
		for {
			c, err := l.Accept()
			if err != nil {
				accepted <- n
				return
			}
			c.Close()
			n++
		}
	}()
	require.NoError(t, l.Close())
	require.Equal(t, many, <-accepted)
	require.False(t, reached(path))
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	stale(t, path)
	listen(t, path)
	require.True(t, reached(path))
}

func TestListenLeavesLiveMasterAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	m := newMaster(t, path)
	require.Error(t, control.Check(path, "/"))
	_, err := control.Listen(path, "/", nil, quiet)
	var inUse *control.InUseError
	require.ErrorAs(t, err, &inUse)
	require.EqualValues(t, m.pid, inUse.PID)
	require.ErrorContains(t, err, "already exists")
	require.True(t, reached(path))
}

func TestListenLeavesFilesAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	_, err := control.Listen(path, "/", nil, quiet)
	require.ErrorContains(t, err, "regular file")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	dir := shortDir(t)
	for _, tc := range []struct{ path, says string }{
		{filepath.Join(dir, "missing", "s"), "mkdir -p -m 700 " + filepath.Join(dir, "missing")},
		{filepath.Join(dir, strings.Repeat("x", 108-len(dir)-1)), "too long"},
	} {
		_, err := control.Listen(tc.path, "/", nil, quiet)
		require.ErrorContains(t, err, tc.says)
		require.ErrorContains(t, control.Check(tc.path, "/"), tc.says)
	}
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(dir, 0o500))
		require.ErrorContains(t, control.Check(filepath.Join(dir, "s"), "/"), "no permission")
	}
}

func TestListenAtTheLongestPath(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, strings.Repeat("x", 107-len(dir)-1))
	require.Len(t, path, 107)
	listen(t, path)
	require.True(t, reached(path))
}

func TestListenAtRelativePathOfDeepFolder(t *testing.T) {
	dir := filepath.Join(shortDir(t), strings.Repeat("d", 100), strings.Repeat("e", 100))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	l, err := control.Listen("s", dir, nil, quiet)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	t.Chdir(dir)
	require.True(t, reached("s"))
}

func TestDeletedSocketComesBack(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l := listen(t, path)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for range 3 {
		require.NoError(t, os.Remove(path))
		require.Eventually(t, func() bool { return reached(path) }, patience, tick)
	}
	st, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, st.Mode())
	l.Close()
	require.False(t, reached(path))
}

func TestDeletedFolderComesBack(t *testing.T) {
	dir := filepath.Join(shortDir(t), "d")
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "s")
	listen(t, path)
	require.NoError(t, os.Remove(path))
	require.Eventually(t, func() bool { return reached(path) }, patience, tick) // the watch is up
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.Eventually(t, func() bool { return reached(path) }, patience, tick)
}

func TestSomebodyElsesSocketStays(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l := listen(t, path)
	require.NoError(t, os.Rename(path, path+".old"))
	// Whoever is quicker has the path: when it is not us, it stays so.
	other, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		require.Eventually(t, func() bool { return reached(path) }, patience, tick)
		return
	}
	other.SetUnlinkOnClose(false)
	defer other.Close()
	l.Close()
	_, err = os.Lstat(path)
	require.NoError(t, err)
}

func TestOneOfManyTakesAStaleSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	stale(t, path)
	var all sync.WaitGroup
	var mu sync.Mutex
	var won []*control.Listener
	for range 20 {
		all.Go(func() {
			l, err := control.Listen(path, "/", nil, quiet)
			mu.Lock()
			defer mu.Unlock()
			var inUse *control.InUseError
			switch {
			case err == nil:
				won = append(won, l)
			case !errors.As(err, &inUse):
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, won, 1)
	require.True(t, reached(path))
	won[0].Close()
}
