package master

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxStat bounds what is read of a process, in bytes.
const maxStat = 4 << 10

// A process is what the system tells of a slave's.
type process struct {
	program  string // its name
	parent   string // the name of the program that started it
	terminal string // the one that controls it: pts/3
}

// lookAt returns what is known of a process: nothing of one that is not there.
func lookAt(pid int) process {
	if pid <= 0 {
		return process{}
	}
	stat := readStat(pid)
	return process{program: stat.name, parent: readStat(stat.parent).name, terminal: terminalName(stat.terminal)}
}

// A stat is what /proc/PID/stat says, see proc_pid_stat(5).
type stat struct {
	name     string
	parent   int
	terminal uint32 // its device number as proc writes it, 0 for none
}

// readStat reads it. The name of the program, which may hold anything, ends with
// the last parenthesis.
func readStat(pid int) (s stat) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxStat))
	from, to := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if err != nil || from < 0 || to < from {
		return stat{}
	}
	fields := strings.Fields(string(text[to+1:]))
	if len(fields) < 5 {
		return stat{}
	}
	s.name = string(text[from+1 : to])
	s.parent, _ = strconv.Atoi(fields[1])
	terminal, _ := strconv.Atoi(fields[4])
	s.terminal = uint32(terminal)
	return s
}

// Major numbers of terminals, as Linux assigns them.
const (
	consoles    = 4 // from 64 on, serial lines
	serial      = 64
	firstPseudo = 136
	lastPseudo  = 143
)

// terminalName is the name of a terminal in /dev.
func terminalName(device uint32) string {
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00
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
