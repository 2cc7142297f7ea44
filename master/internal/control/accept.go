//go:build unix

package control

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// accept waits for the next one who connects. After the socket is closed the error is
// [net.ErrClosed].
func (b *binding) accept() (*os.File, error) {
	raw, err := b.ln.SyscallConn()
	if err != nil {
		return nil, net.ErrClosed
	}
	var fd int
	closed := raw.Read(func(ln uintptr) bool {
		fd, err = acceptNow(int(ln))
		return err != unix.EAGAIN
	})
	switch {
	case closed != nil:
		return nil, net.ErrClosed
	case err != nil:
		return nil, os.NewSyscallError("accept", err)
	}
	return os.NewFile(uintptr(fd), "connection to the control socket"), nil
}
