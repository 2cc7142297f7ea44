package prompt_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/upstream/prompt"
)

// childVariable makes the test program ask one question on its own terminal.
const childVariable = "PROMPT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	answer, err := prompt.New(prompt.Options{Env: os.Environ()}).
		Prompt(context.Background(), prompt.Question{Text: "Passphrase: "})
	fmt.Printf("answer %q error %v\n", answer, err)
}

func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func running() int { return runtime.NumGoroutine() }

// startJob runs the child as the leader of a session whose terminal is the
// screen returned.
func startJob(t *testing.T) (*exec.Cmd, *screen) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = []string{childVariable + "=1"}
	master, err := pty.Start(cmd)
	require.NoError(t, err)
	s := watchScreen(t, master)
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	s.waitFor("Passphrase: ", 1)
	return cmd, s
}

func TestProcessTerminal(t *testing.T) {
	_, s := startJob(t)
	s.enter("open sesame\n")
	s.waitFor(`answer "open sesame" error <nil>`, 1)
	require.NotZero(t, s.modes().Lflag&unix.ECHO)
}

func TestInterruptCancels(t *testing.T) {
	_, s := startJob(t)
	s.enter("half\x03")
	s.waitFor(`answer "" error the question was cancelled`, 1)
	require.NotZero(t, s.modes().Lflag&unix.ECHO)
}

func TestTermCancels(t *testing.T) {
	cmd, s := startJob(t)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	s.waitFor(`answer "" error the question was cancelled`, 1)
	require.NotZero(t, s.modes().Lflag&unix.ECHO)
}

// ^Z stops the process with the terminal as it was; continued, it asks again.
func TestStopAndContinue(t *testing.T) {
	cmd, s := startJob(t)
	s.enter("half\x1a")
	require.Eventually(t, func() bool {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED|syscall.WNOHANG, nil)
		return err == nil && pid == cmd.Process.Pid && status.Stopped()
	}, patience, time.Millisecond)
	require.NotZero(t, s.modes().Lflag&unix.ECHO)

	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	s.waitFor("Passphrase: ", 2)
	require.Zero(t, s.modes().Lflag&unix.ECHO)
	s.enter("whole\n")
	s.waitFor(`answer "whole" error <nil>`, 1)
}
