package master_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"sshmaster/master"
)

func TestProcessOfASlave(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a) b")
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(sleep, name))
	cmd := exec.Command(name, "1000")
	terminal, err := pty.Start(cmd)
	require.NoError(t, err)
	defer terminal.Close()
	var tty string
	require.Eventually(t, func() bool { // until it has become what it is to run
		var program string
		program, _, tty = master.LookAt(cmd.Process.Pid)
		return program == "a) b"
	}, patience, tick)
	require.Regexp(t, `^pts/\d+$`, tty)
	_, parent, _ := master.LookAt(cmd.Process.Pid)
	require.Equal(t, "master.test", parent)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	program, parent, tty := master.LookAt(cmd.Process.Pid)
	require.Empty(t, program+parent+tty)
}
