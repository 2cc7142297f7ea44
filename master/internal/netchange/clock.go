package netchange

import "time"

const (
	// lookEvery is the time between two looks at the clocks. A process that
	// sleeps otherwise is woken no more often than that.
	lookEvery = 2 * time.Second

	// asleep is how far the clock that counts suspends may go before the one
	// that does not. The two are one clock but for suspends and for the moment
	// between reading them.
	asleep = 100 * time.Millisecond

	// late is how much later than asked a look may come on a busy machine, and
	// how far the wall clock may be set forward, without a meaning.
	late = 2 * time.Second
)

// A reading is one look at the clocks.
type reading struct {
	wall    time.Time     // somebody may set it
	running time.Duration // stands still while the machine is suspended
	boot    time.Duration // does not; where the system has no such clock, running
}

// away returns for how long the process did not run since the last look, or 0.
// The clock that went furthest knows: the one that counts suspends; the wall
// clock after a pause of a virtual machine, which all others missed; any when
// the process alone was stopped.
func (r reading) away(last reading) time.Duration {
	ran, boot := r.running-last.running, r.boot-last.boot
	wall := r.wall.Sub(last.wall)
	if boot-ran < asleep && boot-lookEvery < late && wall-boot < late {
		return 0
	}
	return max(boot, wall) - min(ran, lookEvery)
}

// started is where the running clock begins.
var started = time.Now()

func now() reading {
	t := time.Now()
	running := t.Sub(started)
	return reading{wall: t.Round(0), running: running, boot: sinceBoot(running)}
}
