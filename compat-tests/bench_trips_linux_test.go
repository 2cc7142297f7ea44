package compat

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/muxproto"
)

// tripContests are what a program waits for that asks and is answered, again and again: git while it negotiates, an
// editor's language server, rsync at the end of a phase. The host is as near as can be.
func tripContests() []contest {
	return []contest{
		trips("trips-socket", "a byte to `cat` on the host and back, over a pair of sockets, as rsync and sftp have it", 1, socketPair),
		trips("trips-socket-8k", "8,000 bytes, over the same", 8000, socketPair),
		trips("trips-pipe", "a byte, over pipes, as git and Ansible have it", 1, blockingPipe),
	}
}

// trips measures a trip of size bytes there and back over descriptors that pair makes.
func trips(name, what string, size int, pair func(testing.TB) (r, w *os.File)) contest {
	return contest{
		name: name, what: what, rounds: 2 * benchRounds, pair: 3, slow: true,
		goals: []goal{{metric: "time", unit: "µs"}, {metric: "CPU", unit: "µs"}},
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := benchMaster(b, kind, Setup{Client: gcm})
			return func() reading {
				in, asks := pair(b)
				answers, out := pair(b)
				f := null(b)
				s := lightStart(b, m, muxproto.NewSession{Command: "cat"}, in, out, f)
				for _, given := range []*os.File{in, out, f} {
					require.NoError(b, given.Close())
				}
				n, message := choose(4000, 1000), make([]byte, size)
				trip := func() {
					_, err := asks.Write(message)
					require.NoError(b, err)
					_, err = io.ReadFull(answers, message)
					require.NoError(b, err)
				}
				trip() // the host's program has started by then
				cpu, began := cpuTime(b, m.PID()), time.Now()
				for range n {
					trip()
				}
				wall := time.Since(began)
				cpu = cpuTime(b, m.PID()) - cpu
				require.NoError(b, asks.Close())
				lightEnd(b, s)
				require.NoError(b, answers.Close())
				each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }
				return reading{"time": each(wall), "CPU": each(cpu)}
			}
		},
	}
}

// socketPair is a pair of sockets that block, as rsync makes one.
func socketPair(t testing.TB) (r, w *os.File) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	return os.NewFile(uintptr(p[0]), "socket"), os.NewFile(uintptr(p[1]), "socket")
}
