//go:build !race

package stdio_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// TestNoAllocations counts what a byte costs once a stream is warm. The race
// detector allocates, so that it has no part in this.
func TestNoAllocations(t *testing.T) {
	for _, name := range []string{"terminal", "pipe", "pipe forbidden", "fifo", "fifo forbidden", "socket", "socket nonblocking"} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			for _, shape := range shapes {
				if shape.name == name {
					countAllocations(t, shape)
				}
			}
		})
	}
}

func countAllocations(t *testing.T, shape shape) {
	t.Helper()
	in, out := shape.make(t, false), shape.make(t, true)
	text, buf := []byte("some text"), make([]byte, 100)
	pool := stdio.NewPool(100)

	require.Zero(t, testing.AllocsPerRun(100, func() {
		in.far.write(t, "some text")
		if n, err := in.stream.Read(buf); n != len(text) || err != nil {
			t.Error(n, err)
		}
	}), "Read")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if n, err := out.stream.Write(text); n != len(text) || err != nil {
			t.Error(n, err)
		}
		unix.Read(out.far.fd, buf)
	}), "Write")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		in.far.write(t, "some text")
		b, err := in.stream.ReadPooled(pool)
		if err != nil || len(b.Bytes()) != len(text) {
			t.Error(err)
		}
		b.Release()
	}), "ReadPooled")
}
