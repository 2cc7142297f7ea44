//go:build unix && !linux

package control

import "golang.org/x/sys/unix"

// hungUp looks at the next byte without taking it: there is none at the end.
// Behind a request that was sent ahead the end stays unseen until that is read.
func hungUp(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil
}
