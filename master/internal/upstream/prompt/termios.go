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

// setModes sets the terminal's modes and throws away what was typed but not
// read.
func setModes(tty *os.File, modes *unix.Termios) (err error) {
	controlErr := control(tty, func(fd int) { err = unix.IoctlSetTermios(fd, setTermiosFlush, modes) })
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
