package stdio_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// TestSetOfOneTerminal passes one terminal three times, as a shell does.
func TestSetOfOneTerminal(t *testing.T) {
	noLeak(t)
	person, shell := openPTY(t)
	raw(t, shell.fd)
	set, err := stdio.OpenSet(dup(t, shell.fd), dup(t, shell.fd), dup(t, shell.fd))
	require.NoError(t, err)
	for _, s := range []*stdio.Stream{set.In, set.Out, set.Err} {
		require.True(t, s.IsTerminal())
	}
	_, err = set.Out.WriteString("out ")
	require.NoError(t, err)
	_, err = set.Err.WriteString("err")
	require.NoError(t, err)
	requireBytes(t, person.fd, "out err")

	// The input ends by itself; the others go on.
	require.NoError(t, set.In.Close())
	_, err = set.Out.WriteString("more")
	require.NoError(t, err)
	requireBytes(t, person.fd, "more")
	require.NoError(t, set.Close())
	require.NoError(t, set.Close())
	require.Zero(t, set.Stuck())
}

// TestSetOfOneSocket passes one socket as stdin and stdout, as sftp does. Its
// end comes with the last descriptor, never by a shutdown.
func TestSetOfOneSocket(t *testing.T) {
	noLeak(t)
	near, far := socketPair(t, false)
	set, err := stdio.OpenSet(dup(t, near.fd), dup(t, near.fd), -1)
	require.NoError(t, err)
	require.Nil(t, set.Err)
	near.close()

	far.write(t, "request")
	buf := make([]byte, 10)
	n, err := set.In.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "request", string(buf[:n]))

	require.NoError(t, set.In.Close())
	_, err = set.Out.WriteString("answer")
	require.NoError(t, err)
	far.write(t, "still open")
	requireBytes(t, far.fd, "answer")

	require.NoError(t, set.Close())
	n, err = unix.Read(far.fd, buf)
	if err != unix.ECONNRESET { // because "still open" was never read
		require.NoError(t, err)
		require.Zero(t, n)
	}
}

// TestSetOtherDirectionFirst closes the output while the input is read.
func TestSetOtherDirectionFirst(t *testing.T) {
	noLeak(t)
	near, far := socketPair(t, false)
	set, err := stdio.OpenSet(dup(t, near.fd), dup(t, near.fd), -1)
	require.NoError(t, err)
	defer set.Close()
	near.close()
	result := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(set.In, make([]byte, 3))
		result <- err
	}()
	require.NoError(t, set.Out.Close())
	far.write(t, "abc")
	require.NoError(t, <-result)
}

func TestSetIsClosedWhenOneIsBad(t *testing.T) {
	for bad := range 3 {
		noLeak(t)
		var fds [3]int
		for i := range fds {
			fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			fds[i] = fd
		}
		require.NoError(t, unix.Close(fds[bad]))
		set, err := stdio.OpenSet(fds[0], fds[1], fds[2])
		require.ErrorIs(t, err, unix.EBADF)
		require.Nil(t, set)
	}
}
