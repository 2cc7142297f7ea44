package stdio

import (
	"bytes"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// usualCapacity is what a pipe holds about which nobody has said anything.
	usualCapacity = 64 << 10

	// bulkCapacity is what a pipe gets through which bulk goes. A user without
	// privileges has 64 MiB for all pipes before the kernel makes new ones
	// small.
	bulkCapacity = 256 << 10
)

// widest is the system's limit (fs.pipe-max-size), which root respects as well.
var widest = sync.OnceValue(func() int {
	said, err := os.ReadFile("/proc/sys/fs/pipe-max-size")
	if err != nil {
		return usualCapacity
	}
	limit, err := strconv.Atoi(string(bytes.TrimSpace(said)))
	if err != nil {
		return usualCapacity
	}
	return limit
})

// widen makes room in a pipe, for fewer and larger calls at both of its ends. A
// pipe of which somebody chose the capacity keeps it. What the kernel refuses is
// no harm.
func widen(fd int) {
	if have, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err != nil || have != usualCapacity {
		return
	}
	unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, min(bulkCapacity, widest()))
}
