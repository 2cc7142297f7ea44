package upstream

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// lastWish is how long a helper has after SIGHUP before SIGKILL.
const lastWish = time.Second

// A helper is the running ProxyCommand of one link.
//
// Where the process has no controlling terminal the helper leads a process
// group of its own and all of the group ends with it. On a terminal it stays in
// ours, because a background group may not ask for a password there; then it is
// ended alone, as ssh(1) does.
type helper struct {
	cmd   *exec.Cmd
	group bool

	errs    *os.File // our end of its stderr
	errDone chan struct{}
	mu      sync.Mutex
	lastErr string // its last words

	stop   sync.Once
	ending chan struct{} // closed by end
	exited chan struct{} // closed when it exited
	reaped chan struct{} // closed when it is gone and cmd.ProcessState is set
}

// startHelper runs argv with sock as its input and output. Each line of its
// stderr goes to say. sock stays the caller's to close.
func startHelper(argv []string, env []string, dir string, sock *os.File, say func(line string)) (*helper, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = append([]string{}, env...), dir // nil would be our own environment
	cmd.Stdin, cmd.Stdout, cmd.Stderr = sock, sock, w
	h := &helper{
		cmd: cmd, group: !onTerminal(), errs: r, errDone: make(chan struct{}),
		ending: make(chan struct{}), exited: make(chan struct{}), reaped: make(chan struct{}),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: h.group}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	go h.listen(say)
	go h.attend()
	return h, nil
}

// onTerminal says whether this process has a controlling terminal, on which a
// helper could ask a person.
func onTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}

// listen passes on what the helper says.
func (h *helper) listen(say func(string)) {
	defer close(h.errDone)
	copyLines(h.errs, func(line string) {
		h.mu.Lock()
		h.lastErr = line
		h.mu.Unlock()
		say(line)
	})
}

// attend waits for the helper's exit and buries it. Its process id, and with it
// the number of its group, stays taken until the rest of the group was told to
// go, so that no stranger is hit.
func (h *helper) attend() {
	waited := awaitExit(h.cmd)
	close(h.exited)
	<-h.ending
	if !waited {
		h.signal(syscall.SIGKILL)
		_ = h.cmd.Wait()
	}
	close(h.reaped)
	_ = h.errs.SetReadDeadline(time.Now().Add(lastWish))
	<-h.errDone
	_ = h.errs.Close()
}

// end tells the helper to go. It does not wait, and may be called twice.
func (h *helper) end() {
	h.stop.Do(func() {
		select {
		case <-h.exited:
			close(h.ending)
			return
		default:
		}
		h.signal(syscall.SIGHUP)
		close(h.ending)
		go func() {
			select {
			case <-h.exited:
			case <-time.After(lastWish):
				h.signal(syscall.SIGKILL)
			}
		}()
	})
}

// signal signals the helper, or its whole group.
func (h *helper) signal(sig syscall.Signal) {
	pid := h.cmd.Process.Pid
	if h.group {
		pid = -pid
	}
	_ = syscall.Kill(pid, sig)
}

// A proxyError says how a ProxyCommand failed, in its own last words where it
// left some.
type proxyError struct {
	state string
	words string
}

func (e *proxyError) Error() string {
	if e.words == "" {
		return "ProxyCommand " + e.state
	}
	return "ProxyCommand " + e.state + ": " + e.words
}

// failure ends the helper and returns how it failed by itself, nil when it had
// not.
func (h *helper) failure() error {
	failed := false
	select {
	case <-h.exited:
		failed = true
	case <-time.After(lastWish / 10): // it may just be about to go
		select {
		case <-h.exited:
			failed = true
		default:
		}
	}
	h.end()
	if !failed {
		return nil
	}
	<-h.reaped
	select {
	case <-h.errDone:
	case <-time.After(lastWish):
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return &proxyError{describe(h.cmd.ProcessState), h.lastErr}
}

// describe words an exit state.
func describe(state *os.ProcessState) string {
	var status syscall.WaitStatus
	if state != nil {
		status, _ = state.Sys().(syscall.WaitStatus)
	}
	switch {
	case state == nil:
		return "ended"
	case status.Signaled():
		return "was ended by signal " + status.Signal().String()
	case status.ExitStatus() == 127:
		return "was not found (exit status 127)"
	}
	return fmt.Sprintf("ended with exit status %d", status.ExitStatus())
}
