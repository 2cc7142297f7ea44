package main

import (
	"os"
	"strings"

	"sshmaster/master/daemon"
)

// A Match exec is told next to nothing of the ssh that runs it: the host as it was
// typed, but no option, not even the port. What that ssh was called with decides
// which control socket it looks for, so it is looked up where the system tells.

// caller returns the ssh that runs this program, for the destination that it says.
// Where that cannot be known, or it is not ssh that does, ok is false, and the
// command line has to say all there is.
func (c *command) caller() (call daemon.Call, ok bool) {
	words, ok := callingSSH()
	if !ok {
		return daemon.Call{}, false
	}
	call, err := daemon.ParseCall(words)
	if err != nil || !strings.Contains(call.Destination, c.destination) {
		return daemon.Call{}, false
	}
	return atHome(call), true
}

// ownCall is the command line itself, as if it were that of an ssh.
func (c *command) ownCall() daemon.Call {
	return atHome(daemon.Call{Args: c.sshArgs, Destination: c.destination})
}

// atHome gives the call this process's surroundings, which are those of an ssh that
// started it.
func atHome(call daemon.Call) daemon.Call {
	call.Env = os.Environ()
	if dir, err := os.Getwd(); err == nil {
		call.Dir = dir
	} else {
		call.Dir = "/" // it was deleted
	}
	return call
}
