package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// between is how many processes may be between a Match exec and its ssh: the
// user's shell, should it not become the command that it was given.
const between = 2

// callingSSH returns the command line, without the program's name, of the ssh that
// started this process.
func callingSSH() (words []string, ok bool) {
	pid := os.Getppid()
	for range between {
		if isSSH(pid) {
			return commandLine(pid)
		}
		if pid, ok = parent(pid); !ok {
			break
		}
	}
	return nil, false
}

func isSSH(pid int) bool {
	program, err := os.Readlink(ofProcess(pid, "exe"))
	return err == nil && filepath.Base(strings.TrimSuffix(program, " (deleted)")) == "ssh"
}

func commandLine(pid int) (words []string, ok bool) {
	line, err := os.ReadFile(ofProcess(pid, "cmdline"))
	if err != nil || len(line) == 0 {
		return nil, false
	}
	for _, word := range bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0}) {
		words = append(words, string(word))
	}
	return words[1:], true
}

// parent reads a process's parent from its status. The name of its program comes
// before, in parentheses, and may hold some itself.
func parent(pid int) (ppid int, ok bool) {
	stat, err := os.ReadFile(ofProcess(pid, "stat"))
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	ppid, err = strconv.Atoi(string(fields[1]))
	return ppid, err == nil && ppid > 1
}

func ofProcess(pid int, file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }
