package master

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A timer that rang while somebody came and went must not end the wait that
// began afterwards.
func TestLateRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var retired atomic.Int32
		i := &idle{persist: time.Hour, retire: func() { retired.Add(1) }, expired: func() {}}
		i.start()
		time.Sleep(59 * time.Minute)
		i.begin()()
		i.ring(1)
		synctest.Wait()
		require.Zero(t, retired.Load())
		time.Sleep(time.Hour - time.Nanosecond)
		synctest.Wait()
		require.Zero(t, retired.Load())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.EqualValues(t, 1, retired.Load())
	})
}

// Who came before the path was free is not cut off by the time that has passed.
func TestSomebodyComesWhileItRetires(t *testing.T) {
	expired := make(chan struct{})
	i := &idle{persist: time.Nanosecond, expired: func() { close(expired) }}
	came := make(chan func(), 1)
	var once sync.Once // its time may pass once more before it has stopped listening
	i.retire = func() {
		once.Do(func() { came <- i.begin() })
		i.stopListening()
	}
	i.start()
	end := <-came
	select {
	case <-expired:
		require.Fail(t, "somebody was cut off")
	default:
	}
	end()
	<-expired
}

func TestTellsOfWhatBeginsAndEnds(t *testing.T) {
	var begun, quiet atomic.Int32
	OnBusy(func() { begun.Add(1) })
	OnQuiet(func() { quiet.Add(1) })
	defer OnBusy(func() {})
	defer OnQuiet(func() {})
	i := &idle{}
	one, other := i.begin(), i.begin()
	require.GreaterOrEqual(t, begun.Load(), int32(2)) // of this master and, perhaps, others
	one()
	other()
	require.GreaterOrEqual(t, quiet.Load(), int32(1))
}
