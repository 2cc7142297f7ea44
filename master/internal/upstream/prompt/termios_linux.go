package prompt

import "golang.org/x/sys/unix"

// What reads the modes, and what sets them.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)

// flush throws away what was typed but not read.
func flush(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) }
