package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerPID is the process that connected, as this process's namespace numbers it;
// 0 where it has no number there.
func peerPID(conn *net.UnixConn) (pid int) {
	_ = lend(conn, func(fd int) error {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			pid = int(cred.Pid)
		}
		return err
	})
	return pid
}

// peerUID is the effective user of the process that connected (SO_PEERCRED).
func peerUID(conn *net.UnixConn) (uid int, err error) {
	err = lend(conn, func(fd int) error {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			uid = int(cred.Uid)
		}
		return err
	})
	return uid, err
}
