package upstream

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limitUnacked bounds how long data may stay unacknowledged before the kernel
// gives the connection up. Its own limit is about a quarter of an hour.
func limitUnacked(raw syscall.RawConn, limit time.Duration) error {
	ms := min(limit.Milliseconds(), 1<<31-1)
	return setInt(raw, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ms))
}

// unsent is how many bytes may wait in the kernel for their turn to be sent.
const unsent = 64 << 10

// limitUnsent keeps a queue of bulk from building up in the kernel, where a
// keystroke would have to wait behind it: on a narrow link its echo comes in
// half the time then (compat-tests/BENCHMARKS.md). It bounds what was not sent
// yet, and not what is under way, so that long links stay full.
func limitUnsent(raw syscall.RawConn) error {
	return setInt(raw, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
}
