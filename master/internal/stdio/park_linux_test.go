package stdio_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

// A parker reads until its stream ends, and has no goroutine while that is quiet.
type parker struct {
	stream *stdio.Stream
	pool   *stdio.Pool
	got    chan string
	parked chan struct{}
	ended  chan error
}

func park(s *stdio.Stream) *parker {
	p := &parker{s, stdio.NewPool(100), make(chan string, 10), make(chan struct{}, 10), make(chan error, 10)}
	go p.read()
	return p
}

func (p *parker) read() {
	for {
		buf, err := p.stream.ReadOrPark(p.pool, p.read)
		switch {
		case err == stdio.ErrParked:
			p.parked <- struct{}{}
			return
		case err != nil:
			p.ended <- err
			return
		}
		p.got <- string(buf.Bytes())
		buf.Release()
	}
}

func TestQuietStreamsAreParked(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			noLeak(t)
			in := shape.make(t, false)
			p := park(in.stream)
			in.far.write(t, "at once")
			require.Equal(t, "at once", <-p.got)
			<-p.parked
			require.Zero(t, waitingIn("stdio_test.(*parker).read"))
			in.far.write(t, "later")
			require.Equal(t, "later", <-p.got)
			<-p.parked
			require.NoError(t, in.stream.Close())
			require.Equal(t, os.ErrClosed, <-p.ended)
		})
	}
}

// Close and a byte at the same time: whoever is parked goes on once.
func TestParkedStreamsAreClosedOnce(t *testing.T) {
	noLeak(t)
	var all []*parker
	var ends []*end
	for range 50 {
		near, far := socketPair(t, false)
		setNonblock(t, near.fd, true)
		all = append(all, park(open(t, dup(t, near.fd))))
		ends = append(ends, far)
	}
	for _, p := range all {
		<-p.parked
	}
	for i, p := range all {
		go ends[i].close()
		go p.stream.Close()
	}
	for _, p := range all {
		err := <-p.ended
		require.True(t, errors.Is(err, os.ErrClosed) || err.Error() == "EOF", err)
		require.NoError(t, p.stream.Close())
	}
	for _, p := range all {
		require.Empty(t, p.ended)
	}
}

// What cannot be parked waits as it always did: one description more often than the
// kernel lets it be watched.
func TestWhatIsNotParked(t *testing.T) {
	noLeak(t)
	const many = 520
	near, far := socketPair(t, false)
	var all []*parker
	for range many {
		all = append(all, park(open(t, dup(t, near.fd))))
	}
	eventually(t, "readers that wait, in every way", func() bool {
		parked, poll := 0, waitingIn("stdio.(*pollWaiter).until", "[select")
		for _, p := range all {
			parked += len(p.parked)
		}
		return poll > 0 && parked > 0 && parked+poll+waitingIn("stdio.(*epollWaiter).until", "[IO wait") >= many
	})
	require.NoError(t, unix.Shutdown(far.fd, unix.SHUT_WR))
	for _, p := range all {
		require.EqualError(t, <-p.ended, "EOF")
		require.NoError(t, p.stream.Close())
	}
}
