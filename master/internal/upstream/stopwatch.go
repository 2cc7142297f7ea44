package upstream

import (
	"sync"
	"time"
)

// A stopwatch runs down what is left of ConnectTimeout and stands still while a
// person is asked. The nil stopwatch never runs out.
type stopwatch struct {
	mu      sync.Mutex
	timer   *time.Timer
	left    time.Duration
	running time.Time // since when; zero when it stands still
	over    bool
}

// newStopwatch starts a stopwatch that calls expire, once, when it has run for
// left.
func newStopwatch(left time.Duration, expire func()) *stopwatch {
	s := &stopwatch{left: max(left, 0), running: time.Now()}
	s.timer = time.AfterFunc(s.left, expire)
	return s
}

// pause stops the time until resume.
func (s *stopwatch) pause() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.running.IsZero() || !s.timer.Stop() {
		return
	}
	s.left = max(0, s.left-time.Since(s.running))
	s.running = time.Time{}
}

// resume lets the time go on.
func (s *stopwatch) resume() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.running.IsZero() {
		return
	}
	s.running = time.Now()
	s.timer.Reset(s.left)
}

// stop ends the stopwatch for good.
func (s *stopwatch) stop() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.timer.Stop()
}
