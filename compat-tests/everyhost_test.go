package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// everyHost is a network whose clients ask ensure, as the three lines of README.md have them do.
type everyHost struct {
	*Network
	socket string // the daemon's
}

// newEveryHost writes the lines for each host before those that concern all. No daemon runs; whichever runs at the end
// of the test is ended.
func newEveryHost(t testing.TB, hosts map[string][]string, all ...string) *everyHost {
	t.Helper()
	e := &everyHost{Network: newNetwork(t, hosts)}
	e.socket = filepath.Join(e.Dir, "m", "daemon")
	e.configure(t, all...)
	t.Cleanup(func() {
		if pid := e.daemon(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		if t.Failed() {
			words, _ := os.ReadFile(e.socket + ".log")
			t.Logf("the daemon's log:\n%s", words)
		}
	})
	return e
}

// matchExec are the three lines.
func (e *everyHost) matchExec(t testing.TB) []string {
	return []string{
		fmt.Sprintf(`Match exec "%s -O ensure -- %%n"`, sshMaster(t)),
		"ControlPath " + filepath.Join(e.Dir, "cm", "%C"), "ControlMaster no",
	}
}

// configure replaces what the network says of control sockets.
func (e *everyHost) configure(t testing.TB, all ...string) {
	t.Helper()
	text := read(t, e.Config)
	text, _, _ = strings.Cut(text, "Match exec")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "ControlPath ") {
			lines = append(lines[:i], lines[i+1:]...)
			break
		}
	}
	lines = append(append(lines, all...), e.matchExec(t)...)
	write(t, e.Config, 0o600, strings.Join(lines, "\n")+"\n")
}

// command is a program that finds the daemon where this network's is.
func (e *everyHost) command(words ...string) Command {
	return Command{Args: words, Env: []string{"SSH_MASTER_SOCK=" + e.socket}, Dir: e.Dir}
}

func (e *everyHost) ssh(args ...string) Command {
	return e.command(append([]string{"ssh", "-F", e.Config}, args...)...)
}

// own is a run of ssh-master itself.
func (e *everyHost) own(t testing.TB, args ...string) Result {
	t.Helper()
	return run(t, e.command(append([]string{sshMaster(t), "-F", e.Config}, args...)...))
}

var runningDaemon = regexp.MustCompile(`Daemon running \(pid=(\d+)\), (\d+) hosts?`)

// daemon is the process of the daemon that answers, 0 for none.
func (e *everyHost) daemon() int {
	r, err := e.command(sshMasterPath(), "-O", "check").run()
	if err != nil {
		return 0
	}
	if found := runningDaemon.FindStringSubmatch(r.Stderr); found != nil {
		pid, _ := strconv.Atoi(found[1])
		return pid
	}
	return 0
}

// sshMasterPath is the binary that [sshMaster] has built by now.
func sshMasterPath() string {
	for _, path := range []string{os.Getenv("COMPAT_SSH_MASTER"), racingBinary.path, plainBinary.path} {
		if path != "" {
			return path
		}
	}
	return ""
}

// daemons are all processes that were started as the daemon of this network.
func (e *everyHost) daemons(t testing.TB) (pids []int) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, path := range lines {
		line, _ := os.ReadFile(path) // it may have ended by now
		if strings.Contains(string(line), "-E\x00"+e.socket+".log\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// sockets are the control sockets that exist.
func (e *everyHost) sockets(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(e.Dir, "cm", "*"))
	require.NoError(t, err)
	return all
}

// logins is how many connections a server has accepted.
func (e *everyHost) logins(name string) int { return e.Servers[name].Logins() }
