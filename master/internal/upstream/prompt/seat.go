package prompt

import (
	"fmt"
	"os"
	"time"
)

// A Seat is the place of a person at somebody else's terminal: one on which
// keys raise no signals here, and which its owner can take back at any moment.
type Seat struct {
	// Open opens the terminal anew for a question, as an open file of its own
	// for reading and writing, O_NONBLOCK and O_NOCTTY, in the Go poller. The
	// caller closes it. An error that is [ErrNoPrompt] is returned as it is.
	Open func() (*os.File, error)

	// Present returns nil while the one who is asked may use the terminal. It
	// is called before anything is read, and from time to time: keystrokes that
	// are meant for another program are left to that. Nil is always.
	Present func() error
}

// lookAgain is how often it is seen to that a seat is not taken back.
const lookAgain = 250 * time.Millisecond

// errTaken is the fate of a question on a terminal whose modes somebody else
// has set meanwhile.
var errTaken = &NobodyError{Why: "another program has taken the terminal", Shown: true}

// open opens the terminal and refuses one whose reading cannot be ended.
func (s *Seat) open() (*os.File, error) {
	tty, err := s.Open()
	if err != nil {
		return nil, err
	}
	if err := tty.SetReadDeadline(time.Time{}); err != nil {
		tty.Close()
		return nil, fmt.Errorf("the terminal cannot be waited for: %w", err)
	}
	return tty, nil
}
