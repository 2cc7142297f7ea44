//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package stdio

import "errors"

// newWaiter does not use kqueue: on macOS it misses the end of a FIFO and does
// not serve all terminals.
func newWaiter(h *handle, output bool) (waiter, error) {
	var w waiter
	var failed error
	_, err := h.use(func(fd uintptr) bool {
		w, failed = newPollWaiter(int(fd), output)
		return true
	})
	return w, errors.Join(err, failed)
}

// waitable assumes that devices other than terminals are always ready, as
// /dev/null is.
func waitable(int) bool { return false }
