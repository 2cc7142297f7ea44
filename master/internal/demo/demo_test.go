package main // a program has no other inside to test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sshmaster/master/internal/sshtest"

	"github.com/stretchr/testify/require"
)

// program writes a shell script to stand in for ssh-master: stock ssh takes the same command line after -M -N.
func program(t *testing.T, script string) string {
	t.Helper()
	for _, name := range []string{"ssh", "scp", "sftp", "xargs"} {
		sshtest.Program(t, name)
	}
	path := filepath.Join(t.TempDir(), "ssh-master")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	return path
}

// scene keeps everything that the demo sets up in a folder of the test and checks that it is empty afterwards.
func scene(t *testing.T) {
	t.Helper()
	sshtest.NoLeaks(t)
	dir, err := os.MkdirTemp("", "demo") // short: sockets live below it
	require.NoError(t, err)
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, os.Remove(dir))
	})
}

func TestAgainstStockMaster(t *testing.T) {
	master := program(t, `exec ssh -M -N "$@"`)
	scene(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), master, &screen{out: &out}, (*play).perform), "%s", &out)
	require.NotContains(t, out.String(), "FAILED")
	require.Contains(t, out.String(), "$ ssh demo exit 7")
	require.Contains(t, out.String(), "1 login by the master")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len(line), 80, "%s", line)
	}
}

// TestSeesWhatIsWrong runs the demo with masters that do not do their job.
func TestSeesWhatIsWrong(t *testing.T) {
	for name, script := range map[string]string{
		"fails":          `echo no such luck; exit 1`,
		"starts nothing": `exit 0`,
		"says too much":  `echo hello; exec ssh -M -N "$@"`,
	} {
		t.Run(name, func(t *testing.T) {
			master := program(t, script)
			scene(t)
			var out bytes.Buffer
			require.ErrorContains(t, run(t.Context(), master, &screen{out: &out}, (*play).perform), "failed checks")
			require.Contains(t, out.String(), "FAILED")
		})
	}
	require.Error(t, run(t.Context(), "/nonexistent", &screen{}))
}

// interrupter is a user who ends the demo when a text appears.
type interrupter struct {
	text   string
	cancel context.CancelFunc
	bytes.Buffer
}

func (i *interrupter) Write(p []byte) (int, error) {
	defer func() {
		if strings.Contains(i.String(), i.text) {
			i.cancel()
		}
	}()
	return i.Buffer.Write(p)
}

func TestInterrupted(t *testing.T) {
	for _, text := range []string{"ssh -S none", "ssh-master -f", "pid=", "scp"} {
		t.Run(text, func(t *testing.T) {
			master := program(t, `exec ssh -M -N "$@"`)
			scene(t)
			ctx, cancel := context.WithCancel(t.Context())
			out := &interrupter{text: text, cancel: cancel}
			require.ErrorIs(t, run(ctx, master, &screen{out: out}, (*play).perform), context.Canceled)
			require.NotContains(t, out.String(), "FAILED")
		})
	}
}

func TestColours(t *testing.T) {
	var out bytes.Buffer
	(&screen{out: &out, colour: true}).output("a\x1b]0;b\rc\n")
	require.Equal(t, "    a]0;bc\n", out.String())
	require.Equal(t, "\x1b[1mx\x1b[0m", (&screen{colour: true}).paint(bold, "x"))
	require.False(t, colourful(os.Stdin))
}
