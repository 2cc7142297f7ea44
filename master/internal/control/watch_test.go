package control_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/sshtest"
)

// serveAll accepts connections until l is closed.
func serveAll(l *control.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// folders is a watch that ends with the test.
func folders(t *testing.T) *control.Folders {
	t.Helper()
	f := control.NewFolders(quiet)
	t.Cleanup(f.Close)
	return f
}

// A further socket costs its own descriptor and no goroutine, and all come back.
func TestSocketsShareOneWatch(t *testing.T) {
	sshtest.NoLeaks(t)
	const many = 60
	one, other, f := shortDir(t), shortDir(t), folders(t)
	listenIn(t, f, filepath.Join(one, "first"))
	listenIn(t, f, filepath.Join(other, "first"))
	require.NoError(t, os.Remove(filepath.Join(one, "first")))
	require.Eventually(t, func() bool { return reached(filepath.Join(one, "first")) }, patience, tick) // the watch is up
	goroutines, descriptors := runtime.NumGoroutine(), sshtest.Descriptors(t)
	var paths []string
	var all []*control.Listener
	for i := range many {
		dir := one
		if i%2 == 1 {
			dir = other
		}
		path := filepath.Join(dir, fmt.Sprint(i))
		all = append(all, listenIn(t, f, path))
		paths = append(paths, path)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	require.Equal(t, descriptors+many, sshtest.Descriptors(t))
	for _, path := range paths {
		require.NoError(t, os.Remove(path))
	}
	for _, path := range paths {
		require.Eventually(t, func() bool { return reached(path) }, patience, tick, path)
	}
	for _, l := range all {
		go serveAll(l) // whoever has connected, Close waits for
	}
}

// What happens to one folder is no other one's trouble.
func TestOneFolderIsDeleted(t *testing.T) {
	sshtest.NoLeaks(t)
	stays, goes, f := shortDir(t), filepath.Join(shortDir(t), "d"), folders(t)
	require.NoError(t, os.Mkdir(goes, 0o700))
	gone, path := filepath.Join(goes, "s"), filepath.Join(stays, "s")
	listenIn(t, f, gone)
	listenIn(t, f, path)
	require.NoError(t, os.RemoveAll(goes))
	for range 3 {
		require.NoError(t, os.Remove(path))
		require.Eventually(t, func() bool { return reached(path) }, patience, tick)
	}
	require.NoDirExists(t, goes, "somebody wanted it gone")
	require.NoError(t, os.Mkdir(goes, 0o700))
	require.Eventually(t, func() bool { return reached(gone) }, patience, tick)
	require.NoError(t, os.Remove(gone))
	require.Eventually(t, func() bool { return reached(gone) }, patience, tick, "it is watched again")
}

// The system knows one folder once, by whatever name.
func TestFolderOfTwoNames(t *testing.T) {
	sshtest.NoLeaks(t)
	f, dir := folders(t), shortDir(t)
	link := filepath.Join(shortDir(t), "l")
	require.NoError(t, os.Symlink(dir, link))
	first := listenIn(t, f, filepath.Join(dir, "one"))
	path := filepath.Join(link, "two")
	listenIn(t, f, path)
	for range 2 {
		require.NoError(t, os.Remove(path))
		require.Eventually(t, func() bool { return reached(path) }, patience, tick)
		require.NoError(t, first.Close())
	}
}

func TestRestoreAtOnce(t *testing.T) {
	sshtest.NoLeaks(t)
	path := filepath.Join(shortDir(t), "s")
	l, err := control.Listen(path, "/", nil, quiet) // nobody watches
	require.NoError(t, err)
	go serveAll(l)
	l.Restore()
	require.True(t, reached(path))
	require.NoError(t, os.Remove(path))
	l.Restore()
	require.True(t, reached(path))
	require.NoError(t, l.Close())
	l.Restore()
	require.NoFileExists(t, path)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
