package compat

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// cpuTime is the processor time, user's and system's, that a process and all threads it ever had have taken, by the
// kernel's own clock of that process (clock_getcpuclockid(3)).
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	const cpuClockScheduled = 2
	var ts unix.Timespec
	require.NoError(t, unix.ClockGettime(int32(^pid<<3|cpuClockScheduled), &ts))
	return time.Duration(ts.Nano())
}

// memory is what processes take together, in kB: their proportional share of all, and what is theirs alone.
type memory struct{ proportional, private float64 }

func memoryOf(t testing.TB, pids ...int) (sum memory) {
	t.Helper()
	for _, pid := range pids {
		for l := range strings.Lines(read(t, filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))) {
			var kb float64
			if n, _ := fmt.Sscanf(l, "Pss: %f kB", &kb); n == 1 {
				sum.proportional += kb
			}
			if n, _ := fmt.Sscanf(l, "Private_Dirty: %f kB", &kb); n == 1 {
				sum.private += kb
			}
		}
	}
	return sum
}
