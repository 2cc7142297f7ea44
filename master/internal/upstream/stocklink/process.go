package stocklink

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// lastWish is how long ssh has to do what it was asked for before something
// harsher follows, and how long its descendants may keep its standard error open
// after it.
const lastWish = time.Second

// A process is the running ssh of one link.
type process struct {
	cmd    *exec.Cmd
	words  *words
	stderr *os.File      // our end
	gone   chan struct{} // closed when it has been waited for and all its words were heard
}

// startProcess runs argv on our terminal.
func startProcess(argv []string, env []string, dir string, w *words) (*process, error) {
	r, stderr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = append([]string{}, env...), dir // nil would be our own environment
	cmd.Stderr = stderr
	cmd.SysProcAttr = lifeline()
	p := &process{cmd: cmd, words: w, stderr: r, gone: make(chan struct{})}
	started := make(chan error)
	go p.attend(started)
	err = <-started
	_ = stderr.Close()
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return p, nil
}

// attend starts ssh, waits for its end, and hears its last words. It keeps its
// thread, because a lifeline is tied to the thread that started the process.
func (p *process) attend(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	heard := make(chan struct{})
	go func() {
		p.words.listen(p.stderr)
		close(heard)
	}()
	_ = p.cmd.Wait()
	_ = p.stderr.SetReadDeadline(time.Now().Add(lastWish))
	<-heard
	_ = p.stderr.Close()
	close(p.gone)
}

// end makes sure that ssh is gone, within two seconds.
func (p *process) end() {
	for _, by := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.gone:
			return
		default:
		}
		_ = p.cmd.Process.Signal(by)
		select {
		case <-p.gone:
		case <-time.After(lastWish):
		}
	}
	<-p.gone
}

// fate says how ssh ended, once it is gone: in its own last words, or by itself
// without any.
func (p *process) fate() (words, state string) {
	words = p.words.lastWords()
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		return "", "was ended by signal " + status.Signal().String()
	case status.ExitStatus() == 255 && words != "":
		return words, ""
	}
	return "", fmt.Sprintf("ended with exit status %d", status.ExitStatus())
}
