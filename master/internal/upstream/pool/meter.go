package pool

import (
	"sync"
	"time"
)

// heavyRate is how many bytes in a second make a link sluggish for somebody who
// types.
const heavyRate = 256 << 10

// A meter measures how much a link has carried lately. The zero value is ready.
type meter struct {
	mu          sync.Mutex
	second      int64 // of the bytes counted in now
	now, before uint64
}

// add counts n bytes.
func (m *meter) add(n int) {
	second := time.Now().Unix()
	m.mu.Lock()
	m.turn(second)
	m.now += uint64(n)
	m.mu.Unlock()
}

func (m *meter) turn(second int64) {
	switch second {
	case m.second:
		return
	case m.second + 1:
		m.before = m.now
	default:
		m.before = 0
	}
	m.second, m.now = second, 0
}

// heavy says whether the link carries much, in this second or the last.
func (m *meter) heavy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(time.Now().Unix())
	return max(m.now, m.before) > heavyRate
}
