package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// inheritReady returns the pipe on which a master in the background says that
// it is ready, or nil in the foreground. The variable is for this process
// alone: what it starts may be another ssh-master.
func inheritReady() *os.File {
	inherited := os.Getenv(readyVariable) != ""
	os.Unsetenv(readyVariable)
	if !inherited {
		return nil
	}
	unix.CloseOnExec(readyFD)
	return os.NewFile(readyFD, "ready pipe")
}

// closeInherited closes what our caller left open beyond the standard
// descriptors, as ssh does: a master outlives its caller, and whoever waits for
// the end of such a file would wait for the master. Files of our own are not
// inherited by anybody and carry close-on-exec, which tells them apart.
func closeInherited() {
	for _, fd := range openFDs() {
		if fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// openFDs lists this process's descriptors.
func openFDs() []int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return nil
	}
	var fds []int
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}

// detach is called when slaves are accepted: a master in the background, which
// has a ready pipe, leaves its caller, and one in the foreground leaves the
// terminal's job control.
func detach(log *logFile, ready *os.File) error {
	if ready == nil {
		leaveJobControl()
		return nil
	}
	defer ready.Close()
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("cannot leave the terminal's session: %w", err)
	}
	log.leaveTerminal()
	if err := closeStandard(); err != nil {
		return err
	}
	_, err := ready.Write([]byte{1})
	return err
}

// closeStandard puts /dev/null in the place of the three standard descriptors,
// so that whoever waits for the end of our output sees it.
func closeStandard() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := replaceFD(int(null.Fd()), fd); err != nil {
			return fmt.Errorf("cannot let go of descriptor %d: %w", fd, err)
		}
	}
	return nil
}

// leaveJobControl gives up the controlling terminal. A master reads the
// terminals of its slaves, and would be stopped for it by SIGTTIN if the same
// terminal controlled it from the background. Ctrl-C still reaches it, because
// that goes to the process group.
func leaveJobControl() {
	if sid, err := unix.Getsid(0); err != nil || sid == os.Getpid() {
		return // the session's leader: giving up would hang up everybody
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer tty.Close()
	unix.IoctlSetInt(int(tty.Fd()), unix.TIOCNOTTY, 0)
}
