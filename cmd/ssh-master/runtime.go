package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"sshmaster/master"
)

// Chosen by compat-tests/BENCHMARKS.md.
const (
	// garbage is how much of the heap in use may be garbage before it is
	// collected, in percent. x/crypto allocates for every packet that it reads:
	// a download at Go's default, 100, takes a tenth more processor time than at
	// 200, and at 200 a tenth more than at 400.
	garbage = 400

	// fewCores is up to where one processor is better than several: the server,
	// or whoever feeds the master, then keeps the other one, and the link's
	// goroutines hand over to each other without waking a thread. It saves a
	// quarter of a download's processor time.
	fewCores = 2

	// enoughCores is what a link can use.
	enoughCores = 4
)

// suitMachine sets the runtime up for moving bytes on this machine. Whoever sets
// GOGC or GOMAXPROCS knows better.
func suitMachine() {
	if os.Getenv("GOGC") == "" {
		collect()
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors(runtime.GOMAXPROCS(0)))
	}
}

// processors is how many of those that the machine, or the container, has are
// used at a time.
func processors(have int) int {
	switch {
	case have <= fewCores:
		return 1
	case have < enoughCores:
		return 2
	}
	return enoughCores
}

// allowance is how much garbage may gather, in bytes, however large the heap is: a
// small heap, as of a master that moves bytes for few, has that at garbage percent.
// In the heap of a thousand idle sessions as many percent would double what they
// need.
const (
	allowance = 16 << 20
	least     = 50 // percent

	// restTime is how long after the last collection, or after the last session
	// became quiet, a master is taken to be at rest: what a burst of sessions has
	// left is given back to the system then.
	restTime = time.Second

	// worthwhile is how many bytes must have become garbage for that since the last
	// collection, perhaps: the heap's, and stacks of goroutines that are gone.
	worthwhile = 1 << 20
	stackSize  = 8 << 10

	// crowd is how many goroutines more than at the last collection are a master that
	// grows: ten sessions, or five connections. What these leave when they begin, as
	// much as they keep or more, lies between what they keep. Collected early, at
	// least percent, it makes room for the next ones: a thousand idle sessions take
	// 2.6 kB less each, fifty idle connections 30 kB.
	crowd = 32
)

// A collector sets, at each collection, how much garbage may gather until the
// next.
type collector struct {
	mu      sync.Mutex
	percent int

	rest    *time.Timer
	before  atomic.Uint64 // bytes allocated until the last collection
	stacks  atomic.Uint64 // of goroutines that sessions have let go since
	resting atomic.Bool   // the collection under way is ours
	crowd   atomic.Int64  // goroutines at the last collection, or fewer
}

// collect begins to look after collections.
func collect() {
	c := new(collector)
	c.allow(garbage)
	c.rest = time.AfterFunc(restTime, c.giveBack)
	master.OnQuiet(c.quiet)
	master.OnBusy(c.busy)
	c.await()
}

// quiet is called when some session has become quiet, or the last one has ended.
func (c *collector) quiet() {
	if metric("/gc/heap/allocs:bytes")-c.before.Load()+stackSize*c.stacks.Add(1) > worthwhile {
		c.rest.Reset(restTime)
	}
}

// busy is called when something begins.
func (c *collector) busy() {
	before, now := c.crowd.Load(), int64(runtime.NumGoroutine())
	if now < before || now-before >= crowd {
		c.crowd.CompareAndSwap(before, now)
	}
	if now-before >= crowd {
		go c.allow(least)
	}
}

// allow sets how much garbage may gather.
func (c *collector) allow(percent int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.percent != percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// await has the end of the next collection noticed: by what that takes away.
func (c *collector) await() { runtime.AddCleanup(new([16]byte), (*collector).collected, c) }

func (c *collector) collected() {
	c.before.Store(metric("/gc/heap/allocs:bytes"))
	c.stacks.Store(0)
	c.crowd.Store(int64(runtime.NumGoroutine()))
	c.allow(allowed(liveHeap()))
	if !c.resting.Swap(false) {
		c.rest.Reset(restTime)
	}
	c.await()
}

func (c *collector) giveBack() {
	c.resting.Store(true)
	debug.FreeOSMemory()
}

// allowed is the percentage for a live heap of so many bytes.
func allowed(live uint64) int {
	percent := allowance * 100 / max(live, 1)
	return int(min(max(percent, least), garbage))
}

// liveHeap is what the last collection has left, in bytes.
func liveHeap() uint64 { return metric("/gc/heap/live:bytes") }

func metric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
