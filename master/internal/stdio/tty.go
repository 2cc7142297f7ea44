package stdio

import (
	"golang.org/x/sys/unix"
)

// Size is a terminal's size in characters and in pixels, 0 where the terminal
// does not know (RFC 4254 section 6.2).
type Size struct {
	Cols   uint32
	Rows   uint32
	XPixel uint32
	YPixel uint32
}

// IsTerminal reports whether the descriptor is a terminal.
func (s *Stream) IsTerminal() bool { return s.tty }

// WindowSize asks the terminal for its size. For anything else, and after
// Close, it returns an error and a Size of zeros, which is what a pty-req
// carries then.
func (s *Stream) WindowSize() (Size, error) {
	var size *unix.Winsize
	var failed error
	err := s.Control(func(fd int) { size, failed = unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ) })
	if err == nil {
		err = s.fail("window size of", failed)
	}
	if err != nil {
		return Size{}, err
	}
	return Size{
		Cols: uint32(size.Col), Rows: uint32(size.Row),
		XPixel: uint32(size.Xpixel), YPixel: uint32(size.Ypixel),
	}, nil
}

// TerminalModes returns the terminal's modes as a pty-req carries them (RFC
// 4254 section 8), in OpenSSH's order. For anything but a terminal that is the
// end mark alone, without an error. Call it before SESSION_OPENED: on that
// answer the slave makes its terminal raw.
func (s *Stream) TerminalModes() ([]byte, error) {
	if !s.tty {
		return []byte{opEnd}, nil
	}
	var modes *unix.Termios
	var failed error
	err := s.Control(func(fd int) { modes, failed = getTermios(fd) })
	if err == nil {
		err = s.fail("modes of", failed)
	}
	if err != nil {
		return []byte{opEnd}, err
	}
	return encodeModes(modes), nil
}
