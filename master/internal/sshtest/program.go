package sshtest

import (
	"os"
	"os/exec"
	"testing"
)

// Program finds a program that a test needs, also where an ordinary user's PATH does
// not lead. A machine without it skips the test; where CI is set, which installs it,
// that is a failure.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, folder := range []string{"", "/usr/sbin/", "/usr/local/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(folder + name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed, and CI is set", name)
	}
	t.Skip(name + " is not installed") // on somebody's machine; there is nothing to test with
	return ""
}
