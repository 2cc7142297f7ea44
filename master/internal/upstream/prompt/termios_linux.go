package prompt

import "golang.org/x/sys/unix"

// What reads the modes, and what sets them after throwing away pending input.
const (
	getTermios      = unix.TCGETS
	setTermiosFlush = unix.TCSETSF
)
