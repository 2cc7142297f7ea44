package master

import (
	"sync"
	"time"
)

// idle ends a master that nothing keeps alive: after ControlPersist's time, or
// at once when it does not listen any more.
//
//	busy ──last end──▶ waiting ──persist──▶ expired
//	  ◀────begin────────┘
//	listening stopped: the last end expires at once
//
// Control connections, sessions and forwarded connections keep a master alive;
// listeners for forwards do not, as in OpenSSH.
type idle struct {
	persist time.Duration // 0: only when listening has stopped
	expired func()        // called once, on a goroutine of its own

	mu      sync.Mutex
	busy    int
	stopped bool
	timer   *time.Timer
	once    sync.Once
}

// begin notes that something keeps the master alive until end is called.
func (i *idle) begin() (end func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy++
	i.disarm()
	var once sync.Once
	return func() { once.Do(i.end) }
}

func (i *idle) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy--
	i.arm()
}

// start begins to count: a master to which nobody ever comes is idle too.
func (i *idle) start() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.arm()
}

// stopListening makes the end of what runs now the end of the master.
func (i *idle) stopListening() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped = true
	i.arm()
}

func (i *idle) arm() {
	if i.busy > 0 {
		return
	}
	i.disarm()
	switch {
	case i.stopped:
		i.once.Do(func() { go i.expired() })
	case i.persist > 0:
		i.timer = time.AfterFunc(i.persist, i.expire)
	}
}

func (i *idle) disarm() {
	if i.timer != nil {
		i.timer.Stop()
		i.timer = nil
	}
}

// expire is the timer's end; somebody may have come while it rang.
func (i *idle) expire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy == 0 && i.timer != nil {
		i.once.Do(func() { go i.expired() })
	}
}
