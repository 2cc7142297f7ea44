package stdio

import "golang.org/x/sys/unix"

// readNowait is a read that returns EAGAIN instead of waiting, whatever the
// flags of the description say.
func readNowait(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Preadv2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// writeNowait is the write of the same sort.
func writeNowait(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Pwritev2(fd, [][]byte{p}, -1, unix.RWF_NOWAIT)
		if err != unix.EINTR {
			return n, err
		}
	}
}
