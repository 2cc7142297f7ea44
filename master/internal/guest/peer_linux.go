package guest

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/process"
	"sshmaster/master/internal/upstream/prompt"
)

// Bounds on what is read of a process, in bytes. The environment's is what
// Linux allows by default for it and the arguments.
const (
	maxUevent      = 4 << 10
	maxStatus      = 64 << 10
	maxEnvironment = 2 << 20
)

var (
	errUnknown = errors.New("the process is not known")
	errGone    = &prompt.NobodyError{Why: "the ssh that was asked has gone"}
)

// A peer is the process of a slave. The nil peer is one of which nothing is
// known.
type peer struct {
	pid     int
	folder  string // where the system tells of it
	started string // tells it from a later process of the same number
}

// newPeer looks at the process, which must be alive, or returns nil.
func newPeer(pid int) *peer {
	if pid <= 0 {
		return nil
	}
	s, err := process.ReadStat(pid)
	if err != nil {
		return nil
	}
	return &peer{pid: pid, folder: process.Folder(pid), started: s.Started}
}

// job returns what the process is doing now. An error that is [errGone] says
// that it is over.
func (p *peer) job() (process.Stat, error) {
	if p == nil {
		return process.Stat{}, errUnknown
	}
	j, err := process.ReadStat(p.pid)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return process.Stat{}, errGone
	case err != nil:
		return process.Stat{}, err
	case j.Started != p.started, j.State == 'Z', j.State == 'X':
		return process.Stat{}, errGone
	}
	return j, nil
}

// present returns nil while the process may use the terminal of that device. Of
// one that is not its controlling terminal nobody knows.
func (p *peer) present(terminal uint64) error {
	j, err := p.job()
	switch {
	case err == errGone:
		return errGone
	case err != nil:
		return nil
	case j.State == 'T', j.State == 't':
		return &prompt.NobodyError{Why: "this ssh was stopped"}
	case j.Terminal == terminal && j.Foreground > 0 && j.Foreground != j.Group:
		return &prompt.NobodyError{Why: "this ssh is in the background of its terminal"}
	}
	return nil
}

// commandLine is how the process was called, nil where that is not told.
func (p *peer) commandLine() []string {
	if p == nil {
		return nil
	}
	words, _ := process.CommandLine(p.pid)
	return words
}
