package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProcessors(t *testing.T) {
	for have, used := range map[int]int{1: 1, 2: 1, 3: 2, 4: 4, 8: 4, 128: 4} {
		require.Equal(t, used, processors(have), "of %d", have)
	}
}

func TestGarbageAllowed(t *testing.T) {
	for live, percent := range map[uint64]int{0: 400, 1 << 20: 400, 4 << 20: 400, 8 << 20: 200, 16 << 20: 100, 1 << 30: 50} {
		require.Equal(t, percent, allowed(live), "%d bytes", live)
	}
}

func TestGarbageAllowedWhileItGrows(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	c := new(collector)
	c.allow(garbage)
	c.crowd.Store(int64(runtime.NumGoroutine()))
	allowed := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.percent
	}
	c.busy()
	require.Equal(t, garbage, allowed())

	var many sync.WaitGroup
	end := make(chan struct{})
	for range crowd {
		many.Go(func() { <-end })
	}
	c.busy()
	require.Eventually(t, func() bool { return allowed() == least }, 10*time.Second, time.Millisecond)
	close(end)
	many.Wait()
}
