package process_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/process"
)

// A program may be called as it likes.
func TestAnotherProcess(t *testing.T) {
	program := filepath.Join(t.TempDir(), "a) (b 1 2")
	cat, err := exec.LookPath("cat")
	require.NoError(t, err)
	data, err := os.ReadFile(cat)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, data, 0o700))
	cmd := exec.Command(program, "-", "lat\xe9")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Wait()
	defer in.Close()
	pid := cmd.Process.Pid

	s, err := process.ReadStat(pid)
	require.NoError(t, err)
	require.Equal(t, "a) (b 1 2", s.Name)
	require.Equal(t, os.Getpid(), s.Parent)
	require.NotEmpty(t, s.Started)
	words, err := process.CommandLine(pid)
	require.NoError(t, err)
	require.Equal(t, []string{program, "-", "lat\xe9"}, words)
	require.NoError(t, os.Remove(program))
	path, err := process.Program(pid)
	require.NoError(t, err)
	require.Equal(t, program, path)
}

func TestNoProcess(t *testing.T) {
	_, err := process.ReadStat(1 << 30)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = process.CommandLine(1 << 30)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
