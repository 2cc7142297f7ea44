package guest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/process"
)

// errNoControlling is for a process without a controlling terminal.
var errNoControlling = errors.New("the process has no controlling terminal")

// openTerminal opens the controlling terminal of the process.
func (p *peer) openTerminal() (*os.File, error) {
	j, err := p.job()
	switch {
	case err != nil:
		return nil, err
	case j.Terminal == 0:
		return nil, errNoControlling
	}
	if err := p.trusted(); err != nil {
		return nil, err
	}
	path, err := devicePath(j.Terminal)
	if err != nil {
		return nil, err
	}
	tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if device, _, err := look(tty); err != nil || device != j.Terminal {
		tty.Close()
		return nil, fmt.Errorf("%s is another device", path)
	}
	return tty, nil
}

// devicePath is where a terminal is found.
func devicePath(device uint64) (string, error) {
	major, minor := unix.Major(device), unix.Minor(device)
	if major == 136 { // pseudo-terminals
		return fmt.Sprintf("/dev/pts/%d", minor), nil
	}
	folder := fmt.Sprintf("/sys/dev/char/%d:%d", major, minor)
	text, err := process.ReadBounded(filepath.Join(folder, "uevent"), maxUevent)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
			return filepath.Join("/dev", filepath.Clean("/"+name)), nil
		}
	}
	return "", fmt.Errorf("%s has no name", folder)
}

// environment returns the environment that the process was started with.
func (p *peer) environment() ([]string, error) {
	if p == nil {
		return nil, errUnknown
	}
	if err := p.trusted(); err != nil {
		return nil, err
	}
	text, err := process.ReadBounded(filepath.Join(p.folder, "environ"), maxEnvironment)
	if err != nil {
		return nil, err
	}
	if _, err := p.job(); err != nil {
		return nil, err // it was another process's
	}
	var env []string
	for pair := range bytes.SplitSeq(text, []byte{0}) {
		if len(pair) > 0 {
			env = append(env, string(pair))
		}
	}
	return env, nil
}

// trusted returns nil where the process could do by itself what is done here in
// its name: open its terminal, run the program that its environment names. One
// in a sandbox must not get out of it this way.
func (p *peer) trusted() error {
	for _, kind := range []string{"mnt", "pid", "user"} {
		theirs, err := os.Readlink(filepath.Join(p.folder, "ns", kind))
		if err != nil {
			return err
		}
		if ours, err := os.Readlink("/proc/self/ns/" + kind); err != nil || ours != theirs {
			return fmt.Errorf("the process is in another %s namespace", kind)
		}
	}
	theirs, err := os.Stat(filepath.Join(p.folder, "root") + "/")
	if err != nil {
		return err
	}
	if ours, err := os.Stat("/"); err != nil || !os.SameFile(ours, theirs) {
		return errors.New("the process has another root")
	}
	return p.sameRights()
}

// sameRights compares users, sandboxes and capabilities.
func (p *peer) sameRights() error {
	theirs, err := status(p.folder)
	if err != nil {
		return err
	}
	ours, err := status("/proc/self")
	if err != nil {
		return err
	}
	for _, name := range []string{"Uid", "NoNewPrivs", "Seccomp"} {
		if theirs[name] != ours[name] {
			return fmt.Errorf("the process differs in %s", name)
		}
	}
	has, err := strconv.ParseUint(theirs["CapEff"], 16, 64)
	if err != nil {
		return err
	}
	have, err := strconv.ParseUint(ours["CapEff"], 16, 64)
	if err != nil {
		return err
	}
	if have&^has != 0 {
		return errors.New("the process has fewer capabilities")
	}
	return nil
}

// status reads /proc/PID/status, see proc_pid_status(5).
func status(folder string) (map[string]string, error) {
	text, err := process.ReadBounded(filepath.Join(folder, "status"), maxStatus)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields, nil
}
