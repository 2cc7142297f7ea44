package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// How a master goes into the background (-f).
//
// A Go process cannot fork, so the command starts itself anew before it
// connects. The new process keeps the terminal for as long as it may have to
// ask for a password; once its socket accepts slaves it becomes a session of
// its own, lets go of every descriptor of its caller, and says so through a
// pipe, whereupon the command that the user typed returns 0. When it fails
// instead, it has said why, and its end is made the command's own.
//
// The two are one job at a terminal: a shell takes the terminal back as soon as
// the command has ended or stopped, so the command does neither before the new
// process, which may have to set the terminal back.

// readyVariable names the descriptor of that pipe to the new process.
const readyVariable = "SSH_MASTER_READY_FD"

// readyFD is the first descriptor after the standard ones.
const readyFD = 3

// endTime is how long the new process may take to end by itself after a signal
// that it may have received, too.
const endTime = time.Second

// startBackground runs the same command line in a new process, and returns the
// exit status of the command that the user typed.
func startBackground(args []string) int {
	// The new process must not inherit these as ignored: handlers are not
	// inherited.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGTSTP)
	setBack := keepTerminal()
	pid, ready, err := startAnew(args)
	if err != nil {
		return fail(err)
	}
	accepts, ended := make(chan struct{}), make(chan unix.WaitStatus, 1)
	go awaitReady(ready, accepts)
	go awaitEnd(pid, setBack, ended)
	for {
		select {
		case <-accepts:
			return 0
		case status := <-ended:
			return endAs(status)
		case s := <-signals:
			if s != unix.SIGTSTP { // that it has stopped is seen by awaitEnd
				time.AfterFunc(endTime, func() { unix.Kill(pid, unix.SIGTERM) })
			}
		}
	}
}

// startAnew starts this program with the same arguments and a pipe on which it
// says that it is ready.
func startAnew(args []string) (pid int, ready *os.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, fmt.Errorf("cannot find my own program file: %w", err)
	}
	child := exec.Command(self, args...)
	child.Args[0] = os.Args[0]
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	if ready, err = startWithReady(child); err != nil {
		return 0, nil, err
	}
	return child.Process.Pid, ready, nil
}

// startWithReady starts this program's child with the pipe on which it says that it
// is ready, and returns the other end.
func startWithReady(child *exec.Cmd) (ready *os.File, err error) {
	ready, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	child.ExtraFiles = []*os.File{write}
	child.Env = append(os.Environ(), readyVariable+"="+strconv.Itoa(readyFD))
	if err := child.Start(); err != nil {
		ready.Close()
		return nil, err
	}
	return ready, nil
}

// awaitReady closes accepts when the new process says so. An end of the pipe
// without a word is the end of the process, which awaitEnd tells.
func awaitReady(ready io.Reader, accepts chan<- struct{}) {
	if _, err := io.ReadFull(ready, make([]byte, 1)); err == nil {
		close(accepts)
	}
}

// keepTerminal returns what sets the terminal back as it is now. The new process
// and a stock ssh that it has started to connect stop at the same signal, and
// either may be too late to do that before the shell has the terminal again.
func keepTerminal() (setBack func()) {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return func() {}
	}
	state, err := term.GetState(int(tty.Fd()))
	if err != nil {
		tty.Close()
		return func() {}
	}
	return func() {
		// From the background that would stop us, once too often.
		if group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP); err == nil && group == unix.Getpgrp() {
			_ = term.Restore(int(tty.Fd()), state)
		}
	}
}

// awaitEnd waits for the end of the new process, and stops and goes on with it
// meanwhile, having set the terminal back.
func awaitEnd(pid int, setBack func(), ended chan<- unix.WaitStatus) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil && status.Stopped():
			setBack()
			suspend()
			unix.Kill(pid, unix.SIGCONT)
		default:
			ended <- status
			return
		}
	}
}

// suspend stops this process until it is continued, which only the signal
// tells: the thread that stops its process runs on for a moment.
func suspend() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, unix.SIGCONT)
	defer signal.Stop(continued)
	if unix.Kill(os.Getpid(), unix.SIGSTOP) == nil {
		<-continued
	}
}

// endAs ends as another process did.
func endAs(status unix.WaitStatus) int {
	switch {
	case status.Signaled():
		return dieOf(status.Signal())
	case status.Exited() && status.ExitStatus() > 0:
		return status.ExitStatus()
	default:
		return exitFailure
	}
}
