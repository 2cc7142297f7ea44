package stdio

import "golang.org/x/sys/unix"

// calls moves bytes with one system call for each direction. Neither makes
// anybody wait, and both are made again when a signal came in between.
type calls struct {
	in, out func(fd int, p []byte) (int, error)
}

var (
	// direct is read(2) and write(2): on a description of our own, or on a file
	// that never makes anybody wait.
	direct = &calls{unix.Read, unix.Write}

	// socket asks with each call not to be made to wait, whatever the flags of
	// the shared description say at that moment.
	socket = &calls{recvNowait, sendNowait}

	// quickSocket makes the same calls without telling Go's scheduler; see
	// quick_linux.go.
	quickSocket = &calls{recvQuick, sendQuick}
)

func (c *calls) read(fd int, p []byte) (int, error)  { return uninterrupted(c.in, fd, p) }
func (c *calls) write(fd int, p []byte) (int, error) { return uninterrupted(c.out, fd, p) }
func (c *calls) close()                              {}
func (c *calls) stuck() bool                         { return false }

func uninterrupted(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		n, err := call(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// sendNowait sends to a socket without waiting, and without a signal when nobody
// reads any more.
func sendNowait(fd int, p []byte) (int, error) {
	return unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}
