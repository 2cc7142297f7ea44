package control

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerPID is the process that connected (LOCAL_PEERPID), 0 where that is not told.
func peerPID(conn syscall.Conn) (pid int) {
	_ = lend(conn, func(fd int) (err error) {
		pid, err = unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		return err
	})
	return pid
}
