//go:build linux || dragonfly || freebsd || netbsd || openbsd

package stdio

import "golang.org/x/sys/unix"

// pollSome is poll(2): it fills in what happened, for ever waiting with a
// timeout of -1 and not at all with 0.
func pollSome(fds []unix.PollFd, timeout int) error {
	_, err := unix.Poll(fds, timeout)
	return err
}

// pollLimit refuses descriptors that pollSome cannot wait for: none.
func pollLimit(int) error { return nil }
