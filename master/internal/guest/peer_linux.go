package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/upstream/prompt"
)

// Bounds on what is read of a process, in bytes. The environment's is what
// Linux allows by default for it and the arguments.
const (
	maxStat        = 4 << 10
	maxStatus      = 64 << 10
	maxEnvironment = 2 << 20
	maxCommandLine = 2 << 20
)

var (
	errUnknown = errors.New("the process is not known")
	errGone    = &prompt.NobodyError{Why: "the ssh that was asked has gone"}
)

// A peer is the process of a slave. The nil peer is one of which nothing is
// known.
type peer struct {
	folder  string // "/proc/PID"
	started string // tells it from a later process of the same number
}

// A job is what job control says of a process.
type job struct {
	state      byte
	group      int
	terminal   uint64 // the controlling terminal's device, 0 for none
	foreground int    // the group in the terminal's foreground, -1 for none
	started    string
}

// newPeer looks at the process, which must be alive, or returns nil.
func newPeer(pid int) *peer {
	if pid <= 0 {
		return nil
	}
	p := &peer{folder: "/proc/" + strconv.Itoa(pid)}
	j, err := p.read()
	if err != nil {
		return nil
	}
	p.started = j.started
	return p
}

// job returns what the process is doing now. An error that is [errGone] says
// that it is over.
func (p *peer) job() (job, error) {
	if p == nil {
		return job{}, errUnknown
	}
	j, err := p.read()
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return job{}, errGone
	case err != nil:
		return job{}, err
	case j.started != p.started, j.state == 'Z', j.state == 'X':
		return job{}, errGone
	}
	return j, nil
}

// read reads /proc/PID/stat, see proc_pid_stat(5). The name of the program,
// which may hold anything, ends with the last parenthesis.
func (p *peer) read() (job, error) {
	text, err := readBounded(filepath.Join(p.folder, "stat"), maxStat)
	if err != nil {
		return job{}, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return job{}, fmt.Errorf("%s/stat: %d fields", p.folder, len(fields))
	}
	number := func(i int) int {
		n, convErr := strconv.Atoi(string(fields[i]))
		err = errors.Join(err, convErr)
		return n
	}
	return job{
		state: fields[0][0], group: number(2), terminal: device(uint32(number(4))),
		foreground: number(5), started: string(fields[19]),
	}, err
}

// device is the number of a device as stat(2) has it, of one as proc has it.
func device(tty uint32) uint64 {
	if tty == 0 {
		return 0
	}
	return unix.Mkdev(tty>>8&0xfff, tty&0xff|tty>>12&0xfff00)
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
	case j.state == 'T', j.state == 't':
		return &prompt.NobodyError{Why: "this ssh was stopped"}
	case j.terminal == terminal && j.foreground > 0 && j.foreground != j.group:
		return &prompt.NobodyError{Why: "this ssh is in the background of its terminal"}
	}
	return nil
}

// commandLine is how the process was called, nil where that is not told.
func (p *peer) commandLine() []string {
	if p == nil {
		return nil
	}
	text, err := readBounded(filepath.Join(p.folder, "cmdline"), maxCommandLine)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, err
}
