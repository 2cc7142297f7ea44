package compat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Command is one run of a program.
type Command struct {
	Args    []string
	Stdin   io.Reader // nil is /dev/null; an *os.File is handed over as it is
	Dir     string
	Env     []string      // added to the clean environment
	Extra   []*os.File    // descriptors 3, 4, ...
	Timeout time.Duration // zero is patience
}

// Result is what a caller sees of it.
type Result struct {
	Stdout, Stderr string
	Code           int // 128+n when signal n ended it
}

// run runs c to its end: until it exits and both its outputs reached their end. An output that somebody keeps open
// after the exit, as a background process does that did not let go of it, is a failure.
func run(t testing.TB, c Command) Result {
	t.Helper()
	r, err := c.run()
	require.NoError(t, err, "%s\nstdout: %s\nstderr: %s", strings.Join(c.Args, " "), r.Stdout, r.Stderr)
	return r
}

func (c Command) run() (Result, error) {
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := c.prepare(ctx)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String()}
	if cmd.ProcessState != nil {
		r.Code = exitCode(cmd.ProcessState)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case errors.As(err, &exit):
		return r, nil
	}
	return r, err
}

func (c Command) prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Stdin, cmd.Dir, cmd.ExtraFiles = c.Stdin, c.Dir, c.Extra
	cmd.Env = environment(c.Env...)
	// Long enough for a loaded machine, short enough to name the culprit: exec.ErrWaitDelay means that an output is
	// still open in another process.
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// exitCode is the exit status as a shell gives it.
func exitCode(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

// environment is all that a tested program gets of the environment: nothing of the user's agent, display or locale.
func environment(extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "TERM=xterm", "LC_ALL=C", "GORACE=log_path=" + raceLog()}, extra...)
}

// start starts a program that goes on beside the test. It is killed and waited for at the end of the test, if it still runs.
func start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	require.NoError(t, cmd.Start())
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// Process is a program that runs beside the test.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to it.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// Running tells whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait waits for its end and returns its exit status as a shell gives it.
func (p *Process) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		require.FailNow(t, "still running", "%s", strings.Join(p.cmd.Args, " "))
	}
	return exitCode(p.cmd.ProcessState)
}

func (p *Process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}
