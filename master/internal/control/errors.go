package control

import (
	"errors"
	"fmt"
	"os"
)

var (
	// errSlaveLeft ends the work on a request whose slave is gone.
	errSlaveLeft = errors.New("the slave left")

	// errDrop ends a slave's connection without an answer, as OpenSSH does
	// with what it cannot understand.
	errDrop = errors.New("connection dropped")

	// errDone ends a slave's connection after its answer.
	errDone = errors.New("connection done")
)

// InUseError says that a live master, or something that is no socket at all,
// is at the path.
type InUseError struct {
	Path string
	PID  uint32 // of the live master, 0 when it did not say
	What string // what is there instead of a socket; empty for a socket
	Why  string // why who listens there did not make way; empty when nobody asked
}

func (e *InUseError) Error() string {
	switch {
	case e.Why != "":
		return fmt.Sprintf("ControlSocket %s already exists: %s was asked to stop listening: %s; end it with -O exit or give another -S", e.Path, e.who(), e.Why)
	case e.What != "":
		return fmt.Sprintf("ControlSocket %s: there is a %s at this path; it is left alone, give another -S or remove it", e.Path, e.What)
	case e.PID != 0:
		return fmt.Sprintf("ControlSocket %s already exists: a master with pid %d listens there; end it with -O exit or give another -S", e.Path, e.PID)
	default:
		return fmt.Sprintf("ControlSocket %s already exists: another master listens there; end it with -O exit or give another -S", e.Path)
	}
}

// who names the one who listens.
func (e *InUseError) who() string {
	if e.PID == 0 {
		return "who listens there"
	}
	return fmt.Sprintf("the master with pid %d", e.PID)
}

// folderError explains why a folder cannot hold the socket.
func folderError(path, dir string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("cannot make the control socket %s: there is no folder %s; make it with mkdir -p -m 700 %s", path, dir, dir)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("cannot make the control socket %s: no permission to write in %s; choose a ControlPath in a folder of your own", path, dir)
	default:
		return fmt.Errorf("cannot make the control socket %s: %w", path, err)
	}
}
