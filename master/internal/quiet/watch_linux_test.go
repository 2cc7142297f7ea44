package quiet

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	t.Cleanup(func() { unix.Close(p[0]) })
	return p[0], p[1]
}

// nobodyWaits is when nothing of the package is left.
func nobodyWaits() bool {
	watches.mu.Lock()
	defer watches.mu.Unlock()
	return watches.file == nil && watches.all == nil
}

func TestWatchEndsWhenThereIsSomethingToRead(t *testing.T) {
	r, w := pipe(t)
	defer unix.Close(w)
	called := make(chan struct{}, 2)
	watch := New(r, func() { called <- struct{}{} })
	require.NotNil(t, watch)
	_, err := unix.Write(w, []byte("x"))
	require.NoError(t, err)
	<-called
	require.False(t, watch.Cancel())
	eventually(t, "the end of the instance", nobodyWaits)
	_, err = unix.Write(w, []byte("y"))
	require.NoError(t, err)
	require.Empty(t, called, "once")

	New(r, func() { called <- struct{}{} })
	<-called // what was there before counts
}

func TestWatchEndsWithTheOtherEnd(t *testing.T) {
	r, w := pipe(t)
	called := make(chan struct{})
	require.NotNil(t, New(r, func() { close(called) }))
	unix.Close(w)
	<-called
}

func TestCancelledWatchIsSilent(t *testing.T) {
	r, w := pipe(t)
	defer unix.Close(w)
	var cancelled, calls atomic.Int32
	for range 200 {
		watch := New(r, func() { calls.Add(1) })
		require.NotNil(t, watch)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			unix.Write(w, []byte("x"))
		}()
		if watch.Cancel() {
			cancelled.Add(1)
		}
		<-wrote
		unix.Read(r, make([]byte, 1))
	}
	eventually(t, "one or the other", func() bool { return cancelled.Load()+calls.Load() == 200 })
	eventually(t, "the end of the instance", nobodyWaits)
}

func TestManyWatches(t *testing.T) {
	const many = 300
	var calls atomic.Int32
	var ends []int
	for range many {
		r, w := pipe(t)
		ends = append(ends, w)
		require.NotNil(t, New(r, func() { calls.Add(1) }))
	}
	for _, w := range ends {
		unix.Close(w)
	}
	eventually(t, "all of them", func() bool { return calls.Load() == many })
	eventually(t, "the end of the instance", nobodyWaits)
}

func TestWhatCannotBeWaitedFor(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.Nil(t, New(fd, func() {}))
	require.True(t, nobodyWaits())
}

func TestHoldKeepsTheInstance(t *testing.T) {
	release := Hold()
	again := Hold()
	r, w := pipe(t)
	called := make(chan struct{})
	New(r, func() { close(called) })
	unix.Close(w)
	<-called
	release()
	require.False(t, nobodyWaits())
	again()
	require.True(t, nobodyWaits())
}

func TestTellsOfEachWait(t *testing.T) {
	var told atomic.Int32
	Tell(func() { told.Add(1) })
	defer Tell(nil)
	r, w := pipe(t)
	defer unix.Close(w)
	require.True(t, New(r, func() {}).Cancel())
	require.EqualValues(t, 1, told.Load())
}
