package crew

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// workers counts the goroutines of the crew, at work or waiting.
func workers() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "crew.work(")
}

func eventually(t *testing.T, true func() bool, what string) {
	t.Helper()
	require.Eventually(t, true, 10*time.Second, time.Millisecond, what)
}

func TestErrandsAreDone(t *testing.T) {
	const n = 1000
	var done sync.WaitGroup
	var sum atomic.Int64
	for i := range n {
		done.Add(1)
		Go(func() { defer done.Done(); sum.Add(int64(i)) })
	}
	done.Wait()
	require.EqualValues(t, n*(n-1)/2, sum.Load())
}

// Who begins an errand does not wait for those that others have begun.
func TestErrandsRunBesideEachOther(t *testing.T) {
	const n = 3 * most
	var all sync.WaitGroup
	all.Add(n)
	for range n {
		Go(func() { all.Done(); all.Wait() })
	}
	all.Wait()
}

func TestErrandsAreDoneByTheSame(t *testing.T) {
	eventually(t, func() bool { return workers() == 0 }, "others are still there")
	for range 100 {
		done := make(chan struct{})
		Go(func() { close(done) })
		<-done
		eventually(t, func() bool { return waiting() == 1 }, "it does not wait for another one")
	}
	require.Equal(t, 1, workers())
}

func TestNobodyStaysForLong(t *testing.T) {
	var all sync.WaitGroup
	all.Add(2 * most)
	for range 2 * most {
		Go(func() { all.Done(); all.Wait() })
	}
	all.Wait()
	eventually(t, func() bool { return workers() <= most }, "too many wait")
	eventually(t, func() bool { return workers() == 0 && waiting() == 0 }, "they stay")
}

// An errand that comes when its worker is about to go is done all the same.
func TestErrandsAtTheLastMoment(t *testing.T) {
	for range 20 {
		done := make(chan struct{})
		Go(func() { close(done) })
		<-done
		began := time.Now()
		for time.Since(began) < kept-2*time.Millisecond {
			time.Sleep(time.Millisecond)
		}
		for time.Since(began) < kept+2*time.Millisecond {
			again := make(chan struct{})
			Go(func() { close(again) })
			<-again
		}
	}
}

func waiting() int {
	idle.mu.Lock()
	defer idle.mu.Unlock()
	return len(idle.workers)
}

func BenchmarkGo(b *testing.B) {
	done := make(chan struct{})
	errand := func() { deep(20); done <- struct{}{} }
	b.Run("crew", func(b *testing.B) {
		for b.Loop() {
			Go(errand)
			<-done
		}
	})
	b.Run("go", func(b *testing.B) {
		for b.Loop() {
			go errand()
			<-done
		}
	})
}

// deep uses up a stack as x/crypto does.
//
//go:noinline
func deep(n int) byte {
	var frame [256]byte
	if n > 0 {
		frame[n] = deep(n - 1)
	}
	return frame[n]
}
