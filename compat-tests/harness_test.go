// Package compat runs unmodified OpenSSH programs against ssh-master and against OpenSSH's own master, `ssh -M`,
// and compares. See README.md for how a test is written.
package compat

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait. It is no measurement: a test that reaches it has failed.
const patience = 30 * time.Second

// scratch holds what one test run builds. TestMain removes it.
var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for other processes, so more of them than there are processors may run side by side.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = flag.Set("test.parallel", "6")
	}
	// Under nohup(1), which ignores HUP, all that is started here would ignore it too: what is caught is not handed on.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "compat"); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		return 1
	}
	defer os.RemoveAll(scratch)
	code := m.Run()
	if races := dataRaces(); races != "" {
		fmt.Fprintln(os.Stderr, races)
		return 1
	}
	return code
}

// raceLog is the beginning of the names of the files to which a binary with the race detector reports, from the
// background too.
func raceLog() string { return filepath.Join(scratch, "race") }

// dataRaces is all that the tested binary reported in this test run.
func dataRaces() string {
	var found strings.Builder
	reports, _ := filepath.Glob(raceLog() + ".*")
	for _, path := range reports {
		words, _ := os.ReadFile(path)
		found.Write(words)
	}
	return found.String()
}

// program finds a program a test needs. A machine without it skips the test, unless CI is set: there it is a failure,
// so that a test cannot vanish unnoticed.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := lookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed, and CI is set", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// lookPath also searches the folders of system programs, where sshd is and an ordinary user's PATH does not lead.
func lookPath(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("compat: %s: %w", name, exec.ErrNotFound)
}

// shortDir makes a folder whose path leaves room for a control socket in sun_path: t.TempDir holds the test's whole name.
func shortDir(t testing.TB) string {
	t.Helper()
	base := os.TempDir()
	if len(base) > 20 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "c")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// build is one go build of a command of this module, done once in a test run.
type build struct {
	once sync.Once
	path string
	err  error
}

func (b *build) get(t testing.TB, name, pkg string, flags ...string) string {
	t.Helper()
	b.once.Do(func() {
		b.path = filepath.Join(scratch, name)
		args := append([]string{"build", "-o", b.path}, flags...)
		if out, err := exec.Command("go", append(args, pkg)...).CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
	})
	require.NoError(t, b.err)
	return b.path
}

var plainBinary, racingBinary, serveBinary build

// sshMaster is the path of ssh-master, built with the race detector when this test binary was. COMPAT_SSH_MASTER names
// a binary to test instead.
func sshMaster(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("COMPAT_SSH_MASTER"); path != "" {
		return path
	}
	if raceEnabled {
		return racingBinary.get(t, "ssh-master-race", "sshmaster/cmd/ssh-master", "-race")
	}
	return plainSSHMaster(t)
}

// plainSSHMaster is ssh-master without the race detector, for tests that count memory or move much data.
func plainSSHMaster(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("COMPAT_SSH_MASTER"); path != "" {
		return path
	}
	return plainBinary.get(t, "ssh-master", "sshmaster/cmd/ssh-master")
}

// eventually polls until ok is true. Unlike require.Eventually it does so on the test's own goroutine, so that ok may
// use require.
func eventually(t testing.TB, ok func() bool, what string, args ...any) {
	t.Helper()
	for deadline := soon(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.FailNow(t, fmt.Sprintf(what, args...))
		}
	}
}

// exists tells whether something has that name, a dangling socket or symbolic link too.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func write(t testing.TB, path string, mode os.FileMode, content string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// soon is a deadline for what must have happened long before.
func soon() time.Time { return time.Now().Add(patience) }

func itoa(n int) string { return strconv.Itoa(n) }
