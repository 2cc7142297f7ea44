package stdio

import "golang.org/x/sys/unix"

// direct calls read(2) and write(2): on a description of our own, or on a file
// that never makes anybody wait.
type direct struct{}

func (direct) read(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (direct) write(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (direct) close()      {}
func (direct) stuck() bool { return false }

// socket asks with each call not to be made to wait, whatever the flags of the
// shared description say at that moment.
type socket struct{}

func (socket) read(fd int, p []byte) (int, error) {
	for {
		n, err := recvNowait(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (socket) write(fd int, p []byte) (int, error) {
	for {
		n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (socket) close()      {}
func (socket) stuck() bool { return false }

// ownSocket makes the same calls without telling Go's scheduler; see
// quick_linux.go.
type ownSocket struct{ socket }

func (ownSocket) read(fd int, p []byte) (int, error) {
	for {
		n, err := recvQuick(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (ownSocket) write(fd int, p []byte) (int, error) {
	for {
		n, err := sendQuick(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}
