package master

import (
	"sync"
	"time"
)

// idle ends a master that nothing keeps alive: one that does not listen any
// more, be it that somebody asked for that or that ControlPersist's time has
// passed. A master that stays rests at that time instead.
//
//	busy ──last end──▶ waiting ──persist──▶ retire, or rest
//	  ◀────begin────────┘
//	listening stopped: busy ──last end──▶ expired
//
// Control connections, sessions and forwarded connections keep a master alive;
// listeners for forwards do not, as in OpenSSH.
type idle struct {
	persist time.Duration       // 0: it waits without an end
	retire  func()              // stops listening, for nobody came for persist
	expired func()              // called once; both on a goroutine of their own
	rest    func() (again bool) // in place of retire, unless nil; nobody comes while it runs, and again has it called after persist once more

	mu      sync.Mutex
	started bool
	busy    int
	stopped bool
	timer   *time.Timer // nil unless it waits
	waits   int         // how often it has begun to wait: tells a timer that rang too late
	once    sync.Once
}

// begin notes that something keeps the master alive until end is called.
func (i *idle) begin() (end func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy++
	i.disarm()
	nowBusy()
	var once sync.Once
	return func() { once.Do(i.end) }
}

func (i *idle) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy--
	i.arm()
	if i.busy == 0 {
		nowQuiet()
	}
}

// start begins to count: a master to which nobody ever comes is idle too.
func (i *idle) start() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.started = true
	i.arm()
}

// stopListening makes the end of what runs now the end of the master.
func (i *idle) stopListening() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped = true
	i.arm()
}

// leaving says whether the end of what runs now is that of the master.
func (i *idle) leaving() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stopped
}

func (i *idle) arm() {
	if i.busy > 0 || !i.started {
		return
	}
	i.disarm()
	switch {
	case i.stopped:
		i.once.Do(func() { go i.expired() })
	case i.persist > 0:
		i.waits++
		wait := i.waits
		i.timer = time.AfterFunc(i.persist, func() { i.ring(wait) })
	}
}

func (i *idle) disarm() {
	if i.timer != nil {
		i.timer.Stop()
		i.timer = nil
	}
}

// ring is the timer's end; somebody may have come, and gone again, while it
// rang. Nobody is lost who comes after it: retire decides who came in time.
func (i *idle) ring(wait int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.timer == nil || i.waits != wait:
	case i.rest == nil:
		go i.retire()
	case i.rest():
		i.arm()
	}
}

// none says whether nothing keeps the master alive.
func (i *idle) none() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.busy == 0
}
