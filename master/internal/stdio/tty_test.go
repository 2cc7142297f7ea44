package stdio_test

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

func TestWindowSize(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	s := open(t, dup(t, shell.fd))
	size, err := s.WindowSize()
	require.NoError(t, err)
	require.Zero(t, size)
	for _, want := range []unix.Winsize{{Col: 80, Row: 24}, {Col: 132, Row: 43, Xpixel: 1320, Ypixel: 860}} {
		require.NoError(t, unix.IoctlSetWinsize(person.fd, unix.TIOCSWINSZ, &want))
		size, err = s.WindowSize()
		require.NoError(t, err)
		require.Equal(t, stdio.Size{
			Cols: uint32(want.Col), Rows: uint32(want.Row), XPixel: uint32(want.Xpixel), YPixel: uint32(want.Ypixel),
		}, size)
	}
	require.NoError(t, s.Close())
	size, err = s.WindowSize()
	require.Equal(t, os.ErrClosed, err)
	require.Zero(t, size)
}

func TestNotATerminal(t *testing.T) {
	noLeak(t)
	near, _ := socketPair(t, false)
	s := open(t, dup(t, near.fd))
	require.False(t, s.IsTerminal())
	size, err := s.WindowSize()
	require.ErrorIs(t, err, unix.ENOTTY)
	require.EqualError(t, err, "stdio: window size of socket: inappropriate ioctl for device")
	require.Zero(t, size)
	modes, err := s.TerminalModes()
	require.NoError(t, err)
	require.Equal(t, []byte{0}, modes)
}

func TestModesAfterClose(t *testing.T) {
	noLeak(t)
	_, shell := openPTY(t)
	s := open(t, dup(t, shell.fd))
	require.NoError(t, s.Close())
	modes, err := s.TerminalModes()
	require.Equal(t, os.ErrClosed, err)
	require.Equal(t, []byte{0}, modes)
}

// TestTerminalModesStay reads and writes a terminal, and compares its modes.
func TestTerminalModesStay(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	before := modesOf(t, shell.fd)
	s := open(t, dup(t, shell.fd))
	person.write(t, "line\n")
	n, err := s.Read(make([]byte, 100))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	_, err = s.WriteString("answer")
	require.NoError(t, err)
	require.Equal(t, before, modesOf(t, shell.fd))
	require.NoError(t, s.Close())
	require.Equal(t, before, modesOf(t, shell.fd))
}

// TestControlD is the end of the input, and not of the terminal.
func TestControlD(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	s := open(t, dup(t, shell.fd))
	buf := make([]byte, 100)
	person.write(t, "\x04")
	_, err := s.Read(buf)
	require.Equal(t, io.EOF, err)
	person.write(t, "more\n")
	n, err := s.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "more\n", string(buf[:n]))
}

// TestTypedAheadBeforeRawMode types while the slave still waits in cooked
// mode. When it makes the terminal raw the bytes are there to be read, although
// nothing new comes.
func TestTypedAheadBeforeRawMode(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	s := open(t, dup(t, shell.fd))
	got := make(chan string, 1)
	go func() {
		buf := make([]byte, 100)
		n, _ := s.Read(buf)
		got <- string(buf[:n])
	}()
	awaitReader(t)
	person.write(t, "ls")
	raw(t, shell.fd)
	require.Equal(t, "ls", <-got)
}
