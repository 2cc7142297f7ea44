package daemon

import (
	"os"
	"path/filepath"
	"strings"

	"sshmaster/master/internal/process"
)

// A Match exec is told next to nothing of the ssh that runs it: the host as it was
// typed, but no option, not even the port. What that ssh was called with decides
// which control socket it looks for, so it is looked up where the system tells.

// between is how many processes may be between a Match exec and its ssh: the
// user's shell, should it not become the command that it was given.
const between = 2

// Caller returns the ssh that runs this process by Match exec, for the destination
// that it says, "" for any. Where that cannot be known, or it is not ssh that does,
// ok is false.
func Caller(destination string) (call Call, ok bool) {
	words, ok := callingSSH()
	if !ok {
		return Call{}, false
	}
	call, err := parseCall(words)
	if err != nil || !strings.Contains(call.Destination, destination) {
		return Call{}, false
	}
	return call.AtHome(), true
}

// AtHome is the call with this process's surroundings, which are those of an ssh
// that started it.
func (c Call) AtHome() Call {
	c.Env = os.Environ()
	dir, err := os.Getwd()
	if err != nil {
		dir = "/" // it was deleted
	}
	c.Dir = dir
	return c
}

// callingSSH returns the command line, without the program's name, of the ssh that
// started this process.
func callingSSH() (words []string, ok bool) {
	pid := os.Getppid()
	for range between {
		if program, err := process.Program(pid); err == nil && filepath.Base(program) == "ssh" {
			words, err := process.CommandLine(pid)
			if err != nil {
				return nil, false
			}
			return words[1:], true
		}
		stat, err := process.ReadStat(pid)
		if err != nil || stat.Parent <= 1 {
			break
		}
		pid = stat.Parent
	}
	return nil, false
}
