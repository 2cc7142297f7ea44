package hostconfig_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// replay returns a program that prints what a release's ssh -G printed.
func replay(t testing.TB, release, name string) string {
	t.Helper()
	golden(t, release, name)
	folder, err := filepath.Abs(filepath.Join("testdata", release))
	require.NoError(t, err)
	return script(t, fmt.Sprintf(`case " $* " in
*" -F none "*) exec cat '%[1]s/none.txt' ;;
*) exec cat '%[1]s/%[2]s.txt' ;;
esac`, folder, name))
}

// script returns the path of a shell script.
func script(t testing.TB, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ssh")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	return path
}

// realSSH returns the installed ssh. Where CI is set it must be there.
func realSSH(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("ssh")
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "CI without ssh")
		t.Skip("no ssh is installed")
	}
	return path
}

// file writes a file of mode 0600 and returns its path.
func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// config returns ssh's options for a configuration file of that text.
func config(t testing.TB, text string) []string {
	t.Helper()
	return []string{"-F", file(t, "config", text)}
}

// resolve asks the installed ssh about "there" with a configuration.
func resolve(t testing.TB, text string) (*hostconfig.Host, error) {
	t.Helper()
	return hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: realSSH(t), Args: config(t, text), Destination: "there", OwnFile: "none",
	})
}

// home is the home folder as ssh finds it.
func home(t testing.TB) string {
	t.Helper()
	u, err := user.LookupId(fmt.Sprint(os.Getuid()))
	require.NoError(t, err)
	return u.HomeDir
}
