package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds on what is read of a process, in bytes. The command line's is what Linux
// allows by default for it and the environment.
const (
	maxStat        = 4 << 10
	maxCommandLine = 2 << 20
)

// Folder is where the system tells of a process.
func Folder(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// ReadStat returns what is known of a process. The error of one that is not there is
// [os.ErrNotExist] or ESRCH.
func ReadStat(pid int) (Stat, error) {
	path := filepath.Join(Folder(pid), "stat")
	text, err := ReadBounded(path, maxStat)
	if err != nil {
		return Stat{}, err
	}
	// The name may hold parentheses itself: it ends with the last.
	from, to := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if from < 0 || to < from {
		return Stat{}, fmt.Errorf("%s: no name", path)
	}
	fields := bytes.Fields(text[to+1:])
	if len(fields) < 20 {
		return Stat{}, fmt.Errorf("%s: %d fields", path, len(fields))
	}
	number := func(i int) int {
		n, convErr := strconv.Atoi(string(fields[i]))
		err = errors.Join(err, convErr)
		return n
	}
	return Stat{
		Name: string(text[from+1 : to]), State: fields[0][0], Parent: number(1), Group: number(2),
		Terminal: device(uint32(number(4))), Foreground: number(5), Started: string(fields[19]),
	}, err
}

// device is the number of a device as stat(2) has it, of one as proc has it.
func device(tty uint32) uint64 {
	if tty == 0 {
		return 0
	}
	return unix.Mkdev(tty>>8&0xfff, tty&0xff|tty>>12&0xfff00)
}

// CommandLine returns how a process was called, its program's name first.
func CommandLine(pid int) ([]string, error) {
	text, err := ReadBounded(filepath.Join(Folder(pid), "cmdline"), maxCommandLine)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 { // it has ended, or is the kernel's
		return nil, fmt.Errorf("process %d has no command line", pid)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

// Program returns the path of a process's program, which may have been replaced
// since.
func Program(pid int) (string, error) {
	path, err := os.Readlink(filepath.Join(Folder(pid), "exe"))
	return strings.TrimSuffix(path, " (deleted)"), err
}

// ReadBounded reads a file of at most limit bytes.
func ReadBounded(path string, limit int64) ([]byte, error) {
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
