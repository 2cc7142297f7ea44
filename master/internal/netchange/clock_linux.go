package netchange

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot reads the clock that goes on while the machine is suspended, unlike
// the one by which Go's timers run.
func sinceBoot(running time.Duration) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return running
	}
	return time.Duration(t.Nano())
}
