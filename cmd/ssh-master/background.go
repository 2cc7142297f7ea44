package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

// How a master goes into the background (-f).
//
// A Go process cannot fork, so the command starts itself anew before it
// connects. The new process keeps the terminal for as long as it may have to
// ask for a password; once its socket accepts slaves it becomes a session of
// its own, lets go of every descriptor of its caller, and says so through a
// pipe, whereupon the command that the user typed returns 0. When it fails
// instead, it has said why on standard error, and its exit status is passed
// on.

// readyVariable names the descriptor of that pipe to the new process.
const readyVariable = "SSH_MASTER_READY_FD"

// readyFD is the first descriptor after the standard ones.
const readyFD = 3

func isBackground() bool { return os.Getenv(readyVariable) != "" }

// startBackground runs the same command line in a new process, and returns the
// exit status of the command that the user typed.
func startBackground(args []string) int {
	self, err := os.Executable()
	if err != nil {
		return fail(fmt.Errorf("cannot find my own program file: %w", err))
	}
	ready, write, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	child := exec.Command(self, args...)
	child.Args[0] = os.Args[0]
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.ExtraFiles = []*os.File{write}
	child.Env = append(os.Environ(), readyVariable+"="+strconv.Itoa(readyFD))
	if err := child.Start(); err != nil {
		return fail(err)
	}
	write.Close()
	if _, err := io.ReadFull(ready, make([]byte, 1)); err == nil {
		return 0
	}
	return exitStatus(child.Wait())
}

// exitStatus is the status of a process that ended before it was ready.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	return exitFailure
}

// detach is called when slaves are accepted: a master in the background leaves
// its caller, and one in the foreground leaves the terminal's job control.
func detach(log *logFile) error {
	if !isBackground() {
		leaveJobControl()
		return nil
	}
	os.Unsetenv(readyVariable)
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("cannot leave the terminal's session: %w", err)
	}
	log.leaveTerminal()
	if err := closeStandard(); err != nil {
		return err
	}
	ready := os.NewFile(readyFD, "ready pipe")
	defer ready.Close()
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

// closeInherited closes what our caller left open beyond the standard
// descriptors, as ssh does: a master outlives its caller, and whoever waits for
// the end of such a file would wait for the master. Files of our own are not
// inherited by anybody and carry close-on-exec, which tells them apart.
func closeInherited() {
	for _, fd := range openFDs() {
		if fd <= 2 || fd == readyFD && isBackground() {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	if isBackground() {
		unix.CloseOnExec(readyFD)
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
