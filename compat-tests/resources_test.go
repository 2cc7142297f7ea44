package compat

import (
	"errors"
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
	if errors.Is(err, os.ErrPermission) {
		t.Skip("only root may count what a process holds that hides its memory, as those with keys do")
	}
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

// settles waits until the master holds no more descriptors than before.
func (m *Master) settles(t testing.TB, before Resources) {
	t.Helper()
	for deadline := soon(); resources(t, m.PID()).Descriptors > before.Descriptors; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.FailNow(t, "descriptors leaked", "before %d, now\n%s", before.Descriptors,
				strings.Join(descriptors(m.PID()), "\n"))
		}
	}
}

// rested is what the master holds once what ended before has been put away, which is done within a tenth of a second: the
// same in forty looks, one after another.
func (m *Master) rested(t testing.TB) Resources {
	t.Helper()
	last, same := resources(t, m.PID()), 0
	eventually(t, func() bool {
		now := resources(t, m.PID())
		if same++; now.Descriptors != last.Descriptors {
			same = 0
		}
		last = now
		return same >= 40
	}, "descriptors come and go")
	return last
}
