package stdio

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// pollSome is poll(2) by way of select(2): macOS has a poll that refuses
// terminals. It fills in what happened, for ever waiting with a timeout of -1
// and not at all with 0. Descriptors must have
// passed pollLimit.
func pollSome(fds []unix.PollFd, timeout int) error {
	var in, out unix.FdSet
	limit := 0
	for i, p := range fds {
		fds[i].Revents = 0
		if p.Events&unix.POLLOUT != 0 {
			out.Set(int(p.Fd))
		} else {
			in.Set(int(p.Fd))
		}
		limit = max(limit, int(p.Fd)+1)
	}
	var wait *unix.Timeval
	if timeout == 0 {
		wait = new(unix.Timeval)
	}
	if _, err := unix.Select(limit, &in, &out, nil, wait); err != nil {
		return err
	}
	for i, p := range fds {
		if in.IsSet(int(p.Fd)) || out.IsSet(int(p.Fd)) {
			fds[i].Revents = p.Events
		}
	}
	return nil
}

// pollLimit refuses descriptors that pollSome cannot wait for.
func pollLimit(fd int) error {
	if fd >= unix.FD_SETSIZE {
		return fmt.Errorf("descriptor %d is beyond the %d that select can wait for", fd, unix.FD_SETSIZE)
	}
	return nil
}
