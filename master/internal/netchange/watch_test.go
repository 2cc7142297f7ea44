package netchange_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/netchange"
)

// bubble runs a test on a time of its own: waiting costs nothing, and every
// goroutine has ended when it has.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &world{network: netchange.NewSource(), start: time.Now()}
		w.clocks.Store(&netchange.Clocks{})
		w.events = netchange.WatchWith(ctx, w.network, func() netchange.Clocks { return *w.clocks.Load() })
		synctest.Wait() // the first look at the clocks is over
		test(t, w)
		cancel()
		for range w.events {
		}
	})
}

// world is a network, clocks, and who watches them.
type world struct {
	network *netchange.Source
	clocks  atomic.Pointer[netchange.Clocks]
	events  <-chan netchange.Event
	start   time.Time
}

// none requires that no event comes for a while.
func (w *world) none(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case e := <-w.events:
		require.Fail(t, "an event", "%+v after %v", e, time.Since(w.start))
	case <-time.After(d):
	}
}

func TestBurstIsOneEvent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.none(t, time.Hour)
		begin := time.Now()
		for range 5 {
			w.network.Changes <- struct{}{}
			time.Sleep(netchange.Settle / 2)
		}
		require.Equal(t, netchange.Event{Network: true}, <-w.events)
		require.Equal(t, 3*netchange.Settle, time.Since(begin), "a settle after the last one")
		w.none(t, time.Hour)
	})
}

func TestBurstThatDoesNotEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begin := time.Now()
		stop := make(chan struct{})
		var changing sync.WaitGroup
		changing.Go(func() {
			for {
				select {
				case <-stop:
					return
				case w.network.Changes <- struct{}{}:
					time.Sleep(netchange.Settle / 2)
				}
			}
		})
		for i := range 3 {
			require.Equal(t, netchange.Event{Network: true}, <-w.events)
			require.LessOrEqual(t, time.Since(begin), time.Duration(i+1)*(netchange.LongestBurst+netchange.Settle))
		}
		close(stop)
		changing.Wait()
	})
}

func TestUnreceivedEventsAreOne(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.network.Changes <- struct{}{}
		time.Sleep(time.Minute)
		w.clocks.Store(&netchange.Clocks{Boot: time.Hour, Wall: time.Hour})
		time.Sleep(time.Minute)
		w.network.Changes <- struct{}{}
		time.Sleep(time.Minute)
		require.Equal(t, netchange.Event{Network: true, Away: time.Hour}, <-w.events)
		w.none(t, time.Hour)
	})
}

func TestClocks(t *testing.T) {
	for name, test := range map[string]struct {
		jump netchange.Clocks
		away time.Duration
	}{
		"suspended":                          {netchange.Clocks{Boot: 8 * time.Hour, Wall: 8 * time.Hour}, 8 * time.Hour},
		"suspended for a moment":             {netchange.Clocks{Boot: 300 * time.Millisecond, Wall: 300 * time.Millisecond}, 300 * time.Millisecond},
		"no clock for suspends":              {netchange.Clocks{Wall: time.Minute}, time.Minute},
		"suspended and set back":             {netchange.Clocks{Boot: time.Minute, Wall: -time.Hour}, time.Minute},
		"the wall clock is put right":        {netchange.Clocks{Wall: time.Second}, 0},
		"the wall clock is set back":         {netchange.Clocks{Wall: -time.Hour}, 0},
		"a moment between reading two of it": {netchange.Clocks{Boot: time.Millisecond}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.none(t, time.Hour)
				w.clocks.Store(&test.jump)
				begin := time.Now()
				if test.away > 0 {
					require.Equal(t, netchange.Event{Away: test.away}, <-w.events)
					require.LessOrEqual(t, time.Since(begin), netchange.LookEvery)
				}
				w.none(t, time.Hour)
			})
		})
	}
}

// The system no longer tells of changes: the clocks are watched all the same.
func TestSourceFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		close(w.network.Changes)
		w.none(t, time.Hour)
		w.clocks.Store(&netchange.Clocks{Boot: time.Minute})
		require.Equal(t, netchange.Event{Away: time.Minute}, <-w.events)
	})
}
