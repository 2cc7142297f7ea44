package master

import (
	"strconv"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/process"
)

// A slaveProcess is what the system tells of a slave's process.
type slaveProcess struct {
	program  string // its name
	parent   string // the name of the program that started it
	terminal string // the one that controls it: pts/3
}

// lookAt returns what is known of a process: nothing of one that is not there.
func lookAt(pid int) slaveProcess {
	stat, err := process.ReadStat(pid)
	if err != nil {
		return slaveProcess{}
	}
	parent, _ := process.ReadStat(stat.Parent) // it may have ended
	return slaveProcess{program: stat.Name, parent: parent.Name, terminal: terminalName(stat.Terminal)}
}

// Major numbers of terminals, as Linux assigns them.
const (
	consoles    = 4 // from 64 on, serial lines
	serial      = 64
	firstPseudo = 136
	lastPseudo  = 143
)

// terminalName is the name of a terminal in /dev.
func terminalName(device uint64) string {
	major, minor := unix.Major(device), unix.Minor(device)
	switch {
	case major >= firstPseudo && major <= lastPseudo:
		return "pts/" + strconv.Itoa(int((major-firstPseudo)<<8|minor))
	case major == consoles && minor >= serial:
		return "ttyS" + strconv.Itoa(int(minor-serial))
	case major == consoles && minor > 0:
		return "tty" + strconv.Itoa(int(minor))
	}
	return ""
}
