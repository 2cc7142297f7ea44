package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
	"sshmaster/master/internal/upstream/prompt"
)

// Why a slave has no terminal to be asked on.
var (
	errNone      = &prompt.NobodyError{Why: "this ssh has no terminal to ask on"}
	errForbidden = &prompt.NobodyError{Why: "this ssh runs on another user's terminal"} // su, sudo
)

// openTerminal opens the terminal on which the slave is asked, if it may be
// used now.
func (g *Guest) openTerminal() (*os.File, error) {
	tty, err := g.anyTerminal()
	if err != nil {
		return nil, err
	}
	if err := g.allowed(tty); err != nil {
		tty.Close()
		return nil, err
	}
	return tty, nil
}

// anyTerminal opens the passed terminal or else the controlling one.
func (g *Guest) anyTerminal() (*os.File, error) {
	var failed error
	for _, s := range []*stdio.Stream{g.c.Files.In, g.c.Files.Err, g.c.Files.Out} {
		if s == nil || !s.IsTerminal() {
			continue
		}
		tty, err := s.OpenTerminal()
		if err == nil {
			return tty, nil
		}
		failed = err
	}
	tty, err := g.peer.openTerminal()
	if err == nil {
		return tty, nil
	}
	g.c.Log.Debug("the slave has no terminal that can be used", "passed", failed, "controlling", err)
	switch {
	case errors.Is(failed, fs.ErrPermission):
		return nil, errForbidden
	case failed != nil:
		return nil, fmt.Errorf("%w: %w", prompt.ErrNoPrompt, failed)
	}
	return nil, errNone
}

// allowed says whether the slave may be asked on tty, and whether this process
// can read there: in the background of its own terminal it would be stopped.
func (g *Guest) allowed(tty *os.File) error {
	device, group, err := look(tty)
	if err != nil {
		return err
	}
	if group > 0 && group != unix.Getpgrp() {
		return &prompt.NobodyError{Why: "ssh-master is in the background of the same terminal"}
	}
	g.device.Store(device)
	return g.peer.present(device)
}

// present says whether what is typed on the terminal that is open is typed for
// the slave.
func (g *Guest) present() error { return g.peer.present(g.device.Load()) }

// look returns the number of the terminal's device and, where it is this
// process's own, the process group in its foreground.
func look(tty *os.File) (device uint64, group int, err error) {
	raw, err := tty.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var st unix.Stat_t
	failed := raw.Control(func(fd uintptr) {
		err = unix.Fstat(int(fd), &st)
		group, _ = unix.IoctlGetInt(int(fd), unix.TIOCGPGRP) // fails where it is another's
	})
	if failed != nil {
		return 0, 0, failed
	}
	return uint64(st.Rdev), group, err
}

// Terminal names the terminal on which the slave would be asked, so that two
// slaves on the same one are known; "" is none.
func (g *Guest) Terminal() string {
	tty, err := g.anyTerminal()
	if err != nil {
		return ""
	}
	defer tty.Close()
	raw, err := tty.SyscallConn()
	if err != nil {
		return ""
	}
	var st unix.Stat_t
	failed := raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) })
	if failed != nil || err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d:%d", st.Dev, st.Ino, st.Rdev)
}
