//go:build darwin || freebsd

package control

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerUID is the effective user of the process that connected (LOCAL_PEERCRED).
func peerUID(conn syscall.Conn) (uid int, err error) {
	err = lend(conn, func(fd int) error {
		cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err == nil {
			uid = int(cred.Uid)
		}
		return err
	})
	return uid, err
}
