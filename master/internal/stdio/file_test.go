package stdio_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

func create(t *testing.T, flags int, content string) *end {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|flags, 0)
	require.NoError(t, err)
	return newEnd(t, fd)
}

func content(t *testing.T, fd int) string {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := unix.Pread(fd, buf, 0)
	require.NoError(t, err)
	return string(buf[:n])
}

// TestFileOffsetIsShared has two holders of one description read in turn, as
// in "(ssh host; cat) < file".
func TestFileOffsetIsShared(t *testing.T) {
	noLeak(t)
	file := create(t, 0, "first second third")
	s := open(t, dup(t, file.fd))
	require.Equal(t, "file, plain", s.String())
	buf := make([]byte, 6)
	n, err := s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "first ", string(buf[:n]))
	n, err = unix.Read(file.fd, buf)
	require.NoError(t, err)
	require.Equal(t, "second", string(buf[:n]))
	pooled, err := s.ReadPooled(stdio.NewPool(100))
	require.NoError(t, err)
	require.Equal(t, " third", string(pooled.Bytes()))
	pooled.Release()
	_, err = s.Read(buf)
	require.Equal(t, io.EOF, err)
	require.NoError(t, s.Close())
	_, err = s.Read(buf)
	require.Equal(t, os.ErrClosed, err)
}

// TestFileWritersTakeTurns is "(echo; ssh host; echo) > file".
func TestFileWritersTakeTurns(t *testing.T) {
	noLeak(t)
	file := create(t, 0, "")
	s := open(t, dup(t, file.fd))
	file.write(t, "before,")
	_, err := s.WriteString("ssh,")
	require.NoError(t, err)
	file.write(t, "after")
	require.Equal(t, "before,ssh,after", content(t, file.fd))
}

// TestFileAppend has somebody else write to the file by another description.
func TestFileAppend(t *testing.T) {
	noLeak(t)
	file := create(t, unix.O_APPEND, "log,")
	s := open(t, dup(t, file.fd))
	_, err := s.WriteString("ssh,")
	require.NoError(t, err)
	_, err = unix.Pwrite(file.fd, []byte("other,"), 0) // appends, on Linux
	require.NoError(t, err)
	_, err = s.WriteString("ssh again")
	require.NoError(t, err)
	require.Equal(t, "log,ssh,other,ssh again", content(t, file.fd))
	require.NotZero(t, flagsOf(t, file.fd)&unix.O_APPEND)
}

// TestFileNonblocking shows that the flag means nothing for files.
func TestFileNonblocking(t *testing.T) {
	noLeak(t)
	file := create(t, unix.O_NONBLOCK, "x")
	s := open(t, dup(t, file.fd))
	n, err := s.Read(make([]byte, 10))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestDirectory(t *testing.T) {
	noLeak(t)
	fd, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	_, err = open(t, fd).Read(make([]byte, 10))
	require.ErrorIs(t, err, unix.EISDIR)
	require.EqualError(t, err, "stdio: read file: is a directory")
}

func TestDevNull(t *testing.T) {
	noLeak(t)
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	s := open(t, fd)
	require.Equal(t, "null, known", s.String())
	require.False(t, s.IsTerminal())
	_, err = s.Read(make([]byte, 10))
	require.Equal(t, io.EOF, err)
	n, err := s.WriteString("nowhere")
	require.NoError(t, err)
	require.Equal(t, 7, n)
}

func TestWrongDirection(t *testing.T) {
	noLeak(t)
	var p [2]int
	require.NoError(t, unix.Pipe(p[:]))
	r, w := open(t, p[0]), open(t, p[1])
	_, err := r.WriteString("x")
	require.ErrorIs(t, err, unix.EBADF)
	_, err = w.Read(make([]byte, 1))
	require.ErrorIs(t, err, unix.EBADF)
}

func TestNothingToMove(t *testing.T) {
	noLeak(t)
	var p [2]int
	require.NoError(t, unix.Pipe(p[:]))
	r, w := open(t, p[0]), open(t, p[1])
	n, err := r.Read(nil)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = w.Write(nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestOpenNothing(t *testing.T) {
	noLeak(t)
	_, err := stdio.Open(-1)
	require.ErrorIs(t, err, unix.EBADF)
}
