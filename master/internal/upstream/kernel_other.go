//go:build !linux

package upstream

import (
	"syscall"
	"time"
)

// limitUnacked leaves the system's own limit in place: there is no option for it
// that these systems share. A write that is stuck ends the link all the same.
func limitUnacked(syscall.RawConn, time.Duration) error { return nil }

// limitUnsent leaves the kernel's queue as it is.
func limitUnsent(syscall.RawConn) error { return nil }
