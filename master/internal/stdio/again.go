package stdio

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenTerminal opens the terminal behind the stream once more, for reading and
// writing, as a description of the caller's own: non-blocking, in the Go
// poller, and never the controlling terminal of this process. It is how a
// slave's terminal is asked something without a trace on the stream. It fails
// where the terminal could not be told from another, as with /dev/tty, and on
// any system but Linux.
func (s *Stream) OpenTerminal() (*os.File, error) {
	if !s.tty {
		return nil, errors.New("stdio: not a terminal")
	}
	fd, failed := -1, error(nil)
	err := s.Control(func(passed int) { fd, failed = reopen(passed, kindTerminal, unix.O_RDWR) })
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("stdio: %w", err)
	}
	return os.NewFile(uintptr(fd), "terminal"), nil
}
