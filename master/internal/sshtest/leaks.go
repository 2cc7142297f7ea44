package sshtest

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// NoLeaks fails the test when, at its end, this process has more goroutines or descriptors than now. Call it first, so
// that it looks last. Tests that use it do not run in parallel with others.
func NoLeaks(t testing.TB) {
	t.Helper()
	poll()
	goroutines, descriptors := runtime.NumGoroutine(), Descriptors(t)
	t.Cleanup(func() {
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			g, d := runtime.NumGoroutine(), Descriptors(t)
			if g <= goroutines && d <= descriptors {
				return
			}
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Errorf("sshtest: goroutines %d, before %d; descriptors %d, before %d:\n%s",
					g, goroutines, d, descriptors, stacks[:runtime.Stack(stacks, true)])
				return
			}
		}
	})
}

// poll has the runtime open what it polls files with, which stays.
var poll = sync.OnceFunc(func() {
	if r, w, err := os.Pipe(); err == nil {
		_ = r.Close()
		_ = w.Close()
	}
})

// Descriptors counts the open descriptors of this process.
func Descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1 // without the one that reads the folder
}

// RestedDescriptors is Descriptors once what ended before has been put away: the same in
// forty looks, one after another, twice as long as a control connection that has ended
// stays open.
func RestedDescriptors(t testing.TB) int {
	t.Helper()
	last := Descriptors(t)
	for same := 0; same < 40; same++ {
		time.Sleep(5 * time.Millisecond)
		if now := Descriptors(t); now != last {
			last, same = now, 0
		}
	}
	return last
}
