package stdio_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

const (
	usual = 64 << 10
	wide  = 256 << 10
)

// pipeThatHolds makes a blocking pipe of a given capacity.
func pipeThatHolds(t *testing.T, size int) (r, w int) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	_, err := unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, size)
	require.NoError(t, err)
	return p[0], p[1]
}

func capacity(t *testing.T, fd int) int {
	t.Helper()
	size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	require.NoError(t, err)
	return size
}

func TestPipesGetWiderForBulkAlone(t *testing.T) {
	for name, c := range map[string]struct{ before, bytes, buffer, after int }{
		"a little":             {usual, 100, 101, usual},
		"bulk":                 {usual, usual, usual, wide},
		"bulk, a chosen width": {usual / 4, usual / 4, usual / 4, usual / 4},
		"bulk, wide already":   {4 * wide, usual, usual, 4 * wide},
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			r, w := pipeThatHolds(t, c.before)
			flags, err := unix.FcntlInt(uintptr(w), unix.F_GETFL, 0)
			require.NoError(t, err)
			in, err := stdio.Open(r)
			require.NoError(t, err)
			n, err := unix.Write(w, make([]byte, c.bytes))
			require.NoError(t, err)
			require.Equal(t, c.bytes, n)
			got, err := in.Read(make([]byte, c.buffer))
			require.NoError(t, err)
			require.Equal(t, c.bytes, got)
			require.Equal(t, c.after, capacity(t, w))
			after, err := unix.FcntlInt(uintptr(w), unix.F_GETFL, 0)
			require.NoError(t, err)
			require.Equal(t, flags, after)
			require.NoError(t, in.Close())
			require.NoError(t, unix.Close(w))
		})
	}
}

func TestOutputPipesGetWiderWhenTheReaderIsSlower(t *testing.T) {
	noLeak(t)
	r, w := pipeThatHolds(t, usual)
	out, err := stdio.Open(w)
	require.NoError(t, err)
	written := make(chan error, 1)
	go func() {
		_, err := out.Write(make([]byte, 2*usual))
		written <- err
	}()
	eventually(t, "a wider pipe", func() bool { return capacity(t, r) == wide })
	for left, buf := 2*usual, make([]byte, usual); left > 0; {
		n, err := unix.Read(r, buf)
		require.NoError(t, err)
		left -= n
	}
	require.NoError(t, <-written)
	require.NoError(t, out.Close())
	require.NoError(t, unix.Close(r))
}
