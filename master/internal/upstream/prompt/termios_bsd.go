//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package prompt

import "golang.org/x/sys/unix"

// What reads the modes, and what sets them.
const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)

// readQueue is FREAD of <sys/file.h>.
const readQueue = 1

// flush throws away what was typed but not read.
func flush(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, readQueue) }
