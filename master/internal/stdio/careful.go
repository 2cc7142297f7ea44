package stdio

import "golang.org/x/sys/unix"

// careful moves bytes through a description that is shared and may block: it
// asks the kernel for a call that does not wait, and where there is none it
// has the ordinary call made by a goroutine on loan, once the descriptor is
// ready.
type careful struct {
	in  lender
	out lender

	// Set once the kernel said that it has no such call for this file. Each
	// belongs to its direction, as the calls do.
	loanIn  bool
	loanOut bool
}

func newCareful(kind string) *careful {
	c, size := new(careful), loanSize
	if kind == kindTerminal {
		size = loanTerminal
	}
	c.in.init(direct.read, false, loanSize)
	c.out.init(direct.write, true, size)
	return c
}

func (c *careful) read(fd int, p []byte) (int, error) {
	if !c.loanIn {
		n, err := uninterrupted(readNowait, fd, p)
		if !unsupported(err) {
			return n, err
		}
		c.loanIn = true
	}
	if !ready(fd, false) {
		return 0, unix.EAGAIN
	}
	return c.in.call(fd, p)
}

func (c *careful) write(fd int, p []byte) (int, error) {
	if !c.loanOut {
		n, err := uninterrupted(writeNowait, fd, p)
		if !unsupported(err) {
			return n, err
		}
		c.loanOut = true
	}
	if !ready(fd, true) {
		return 0, unix.EAGAIN
	}
	return c.out.call(fd, p)
}

func (c *careful) close() {
	c.in.close()
	c.out.close()
}

func (c *careful) stuck() bool { return c.in.stuck() || c.out.stuck() }

// unsupported recognizes the answers of kernels and files without
// RWF_NOWAIT.
func unsupported(err error) bool {
	return err == unix.EOPNOTSUPP || err == unix.ENOTSUP || err == unix.ENOSYS || err == unix.EINVAL
}
