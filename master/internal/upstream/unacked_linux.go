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
