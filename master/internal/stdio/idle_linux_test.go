package stdio_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// manyStreams is what a busy master has. The race detector makes starting them
// slow, and has nothing to find in their number.
const manyStreams = 1000 - 800*raceDetector

// threads counts the OS threads of this process.
func threads(t *testing.T) int {
	t.Helper()
	return entries(t, "/proc/self/task")
}

// TestIdleStreams has many streams of each sort wait, wakes each once, lets
// them wait again and closes them. Hardly a thread is started for it, and not
// one byte of buffer is out while they wait.
func TestIdleStreams(t *testing.T) {
	for _, name := range []string{"terminal", "terminal forbidden", "pipe", "pipe forbidden", "socket", "socket nonblocking"} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			var make func(*testing.T, bool) passed
			for _, shape := range shapes {
				if shape.name == name {
					make = shape.make
				}
			}
			before := threads(t)
			pool := stdio.NewPool(4096)
			var all []passed
			var read, ended sync.WaitGroup
			for range manyStreams {
				p := make(t, false)
				all = append(all, p)
				read.Add(1)
				ended.Go(func() { readTwice(t, p.stream, pool, &read) })
			}
			awaitReaders(t, manyStreams)
			for _, p := range all {
				p.far.write(t, "x")
			}
			read.Wait()
			awaitReaders(t, manyStreams)
			require.LessOrEqual(t, threads(t), before+12)
			for _, p := range all {
				require.NoError(t, p.stream.Close())
			}
			ended.Wait()
		})
	}
}

// readTwice reads one byte and then waits until the stream is closed.
func readTwice(t *testing.T, s *stdio.Stream, pool *stdio.Pool, read *sync.WaitGroup) {
	buf, err := s.ReadPooled(pool)
	if err != nil || string(buf.Bytes()) != "x" {
		t.Errorf("read: %v", err)
	} else {
		buf.Release()
	}
	read.Done()
	if _, err = s.ReadPooled(pool); err == nil {
		t.Error("read more than was written")
	}
}

func awaitReaders(t *testing.T, n int) {
	t.Helper()
	eventually(t, "waiting readers", func() bool { return waitingIn("stdio.(*Stream).Read", "[IO wait") >= n })
}

// TestManyOnOneDescription is more than the kernel lets epoll instances watch
// one description: the rest waits another way, and behaves alike.
func TestManyOnOneDescription(t *testing.T) {
	noLeak(t)
	const many = 520
	near, far := socketPair(t, false)
	before := threads(t)
	var streams []*stdio.Stream
	for range many {
		streams = append(streams, open(t, dup(t, near.fd)))
	}
	results := make(chan error, many)
	reader := func(s *stdio.Stream) {
		_, err := s.Read(make([]byte, 1))
		results <- err
	}
	// One byte each: whoever is woken in vain waits again.
	for _, s := range streams {
		go reader(s)
	}
	awaitShared(t, many)
	for range many {
		far.write(t, "x")
	}
	for range many {
		require.NoError(t, <-results)
	}
	for _, s := range streams {
		go reader(s)
	}
	awaitShared(t, many)
	require.LessOrEqual(t, threads(t), before+12)
	for _, s := range streams {
		require.NoError(t, s.Close())
	}
	for range many {
		require.Error(t, <-results)
	}
	far.write(t, "mine")
	requireBytes(t, near.fd, "mine")
}

func awaitShared(t *testing.T, n int) {
	t.Helper()
	eventually(t, "waiting readers", func() bool {
		epoll, poll := waitingIn("stdio.(*epollWaiter).until", "[IO wait"), waitingIn("stdio.(*pollWaiter).until", "[select")
		return epoll >= 400 && poll > 0 && epoll+poll >= n
	})
}

// TestPollWaiterEnds has the end of the other side wake a stream that waits
// the other way.
func TestPollWaiterEnds(t *testing.T) {
	noLeak(t)
	near, far := socketPair(t, false)
	const many = 520
	results := make(chan error, many)
	for range many {
		s := open(t, dup(t, near.fd))
		go func() {
			_, err := s.Read(make([]byte, 1))
			results <- err
		}()
	}
	awaitShared(t, many)
	require.NoError(t, unix.Shutdown(far.fd, unix.SHUT_WR))
	for range many {
		require.EqualError(t, <-results, "EOF")
	}
}
