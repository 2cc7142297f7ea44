package prompt

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// getModes reads the terminal's modes. The descriptor is used in place, because
// os.File.Fd would make it block.
func getModes(tty *os.File) (modes *unix.Termios, err error) {
	controlErr := control(tty, func(fd int) { modes, err = unix.IoctlGetTermios(fd, getTermios) })
	if controlErr != nil {
		return nil, controlErr
	}
	return modes, err
}

// setModes sets the terminal's modes at once. It does not wait for output to be
// shown, which a terminal that was stopped (^S) may never do.
func setModes(tty *os.File, modes *unix.Termios) (err error) {
	controlErr := control(tty, func(fd int) { err = unix.IoctlSetTermios(fd, setTermios, modes) })
	if controlErr != nil {
		return controlErr
	}
	return err
}

// flushInput throws away what was typed but not read.
func flushInput(tty *os.File) (err error) {
	controlErr := control(tty, func(fd int) { err = flush(fd) })
	if controlErr != nil {
		return controlErr
	}
	return err
}

func control(tty *os.File, use func(fd int)) error {
	raw, err := tty.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { use(int(fd)) })
}
