package compat

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Resources is what a process holds.
type Resources struct {
	Descriptors, Threads int
	Resident             int // bytes
}

// resources counts what the process pid holds.
func resources(t testing.TB, pid int) Resources {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if !exists(proc) {
		require.False(t, exists("/proc/self"), "process %d is gone", pid)
		t.Skip("no /proc here to count in")
	}
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	require.NoError(t, err)
	tasks, err := os.ReadDir(filepath.Join(proc, "task"))
	require.NoError(t, err)
	return Resources{Descriptors: len(fds), Threads: len(tasks), Resident: residentBytes(t, proc)}
}

func residentBytes(t testing.TB, proc string) int {
	for line := range strings.SplitSeq(read(t, filepath.Join(proc, "status")), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			require.NoError(t, err)
			return kb << 10
		}
	}
	return 0
}

// descriptors names what a process has open, for the message of a failed count.
func descriptors(pid int) []string {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		names = append(names, e.Name()+" -> "+to)
	}
	return names
}

// settles waits until the master holds as many descriptors as before.
func (m *Master) settles(t testing.TB, before Resources) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for resources(t, m.PID()).Descriptors != before.Descriptors {
		if time.Now().After(deadline) {
			require.FailNow(t, "descriptors leaked", "before %d, now\n%s", before.Descriptors,
				strings.Join(descriptors(m.PID()), "\n"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}
