package control

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peerPID is the process that connected, as this process's namespace numbers it;
// 0 where it has no number there.
func peerPID(conn syscall.Conn) (pid int) {
	_ = lend(conn, func(fd int) error {
		cred, err := peerCred(fd)
		if err == nil {
			pid = int(cred.Pid)
		}
		return err
	})
	return pid
}

// peerUID is the effective user of the process that connected (SO_PEERCRED).
func peerUID(conn syscall.Conn) (uid int, err error) {
	err = lend(conn, func(fd int) error {
		cred, err := peerCred(fd)
		if err == nil {
			uid = int(cred.Uid)
		}
		return err
	})
	return uid, err
}

// peerCred asks in a call of which the scheduler does not hear: see muxproto's
// sockets.
func peerCred(fd int) (*unix.Ucred, error) {
	cred, size := new(unix.Ucred), uint32(unix.SizeofUcred)
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERCRED,
		uintptr(unsafe.Pointer(cred)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return nil, errno
	}
	return cred, nil
}
