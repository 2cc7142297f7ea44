package compat

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Background starts a master as -f does and returns what its caller saw and the pid of the process that then answers;
// zero if that is no new one. The process is ended with the test.
func (m *Master) Background(t testing.TB, args ...string) (Result, int) {
	t.Helper()
	before := m.answering()
	r := run(t, Command{Args: m.Command(append(append([]string{"-M", "-N", "-f"}, args...), Target)...), Dir: m.Dir})
	m.adoptUnmultiplexed(t)
	if pid := m.answering(); pid != 0 && pid != before {
		m.adopt(t)
		return r, pid
	}
	return r, 0
}

// answering is the pid that the process at the control socket tells, zero when nobody answers.
func (m *Master) answering() int {
	conn, err := net.Dial("unix", m.Control)
	if err != nil {
		return 0
	}
	raw := &rawSlave{conn: conn.(*net.UnixConn)}
	defer raw.conn.Close()
	if raw.send(hello(), frame(typeAlive, uint32(7))) != nil {
		return 0
	}
	for {
		f, err := raw.readFrame()
		if err != nil {
			return 0
		}
		if f.kind() == typeAliveReply {
			return int(f.word(2))
		}
	}
}

// adopt makes the test responsible for the end of the process that answers at the control socket.
func (m *Master) adopt(t testing.TB) int {
	t.Helper()
	pid := m.answering()
	require.NotZero(t, pid, "nobody answers at %s", m.Control)
	endWithTest(t, pid)
	return pid
}

// adoptUnmultiplexed does so for stock masters that carried on without a socket, which is what they do when there is one
// already: they are known only by this test's configuration file on their command line.
func (m *Master) adoptUnmultiplexed(t testing.TB) {
	t.Helper()
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(line), "\x00"+m.Server.Config+"\x00") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		if m.process == nil || pid != m.PID() {
			endWithTest(t, pid)
		}
	}
}

func endWithTest(t testing.TB, pid int) {
	t.Cleanup(func() {
		if alive(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// alive tells whether the process runs. One that has ended and whose parent has not looked yet does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !exists("/proc/self")
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if !strings.HasPrefix(rest, "Z") {
		return true
	}
	// The first thread of a killed process can be gone while others still hold its files.
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}

func gone(t testing.TB, pid int) {
	t.Helper()
	eventually(t, func() bool { return !alive(pid) }, "process %d is still there", pid)
}

// -f returns once the socket accepts, with nothing said.
func TestBackground(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		r, pid := m.Background(t)
		require.Equal(t, Result{}, r)
		require.NotZero(t, pid, "nobody answers although the command has returned")
		m.Server.StopListening()
		require.Equal(t, Result{Stdout: "at once\n"}, m.Session(t, "echo at once"))
		require.Equal(t, pid, m.CheckPID(t))
		require.Equal(t, 0, m.Ask(t, "exit").Code)
		gone(t, pid)
		require.False(t, exists(m.Control), "the socket is still there")
	})
}

// -f keeps none of its caller's descriptors: not the outputs (run sees their end), not stdin, not one the caller forgot.
func TestBackgroundKeepsNoDescriptor(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		extra, extraWrite, err := os.Pipe()
		require.NoError(t, err)
		defer extra.Close()
		stdin, stdinWrite, err := os.Pipe()
		require.NoError(t, err)
		defer stdinWrite.Close()
		r := run(t, Command{
			Args:  m.Command("-M", "-N", "-f", Target),
			Stdin: stdin, Extra: []*os.File{extraWrite, extraWrite, extraWrite, extraWrite, extraWrite},
		})
		require.Equal(t, Result{}, r)
		m.adopt(t)
		require.NoError(t, extraWrite.Close())
		require.NoError(t, stdin.Close())
		content, err := io.ReadAll(extra)
		require.NoError(t, err)
		require.Empty(t, content)
		_, err = stdinWrite.WriteString("x")
		require.ErrorIs(t, err, syscall.EPIPE)
	})
}

// The process in the background is in a session of its own, so that no terminal's signals reach it.
func TestBackgroundSession(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		term := newTerminal(t)
		// A shell leads the terminal's session, as in life: the end of a leader hangs up on all that it started.
		term.Start(t, nil, "sh", "-c", `"$@"; echo "code $?"; read line`, "sh", m.binary[0], "-F", m.Server.Config, "-M", "-N", "-f", Target)
		term.Expect(t, "code 0")
		pid := m.adopt(t)
		stat := read(t, fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(stat[strings.LastIndex(stat, ")")+2:])
		require.Equal(t, strconv.Itoa(pid), fields[3], "leads its own session")
		require.Equal(t, "0", fields[4], "has no controlling terminal")
	})
}

func TestBackgroundFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		option func(t *testing.T, m *Master) []string
		says   string
	}{
		"nobody listens": {func(t *testing.T, _ *Master) []string {
			_, port, err := net.SplitHostPort(closedPort(t))
			require.NoError(t, err)
			return []string{"-p", port}
		}, "Connection refused"},
		"no key accepted": {func(t *testing.T, m *Master) []string {
			other := filepath.Join(m.Dir, "other")
			writeKey(t, other)
			return []string{"-F", write(t, filepath.Join(m.Dir, "config2"), 0o600,
				strings.ReplaceAll(read(t, m.Server.Config), filepath.Join(m.Dir, "id"), other))}
		}, "Permission denied"},
		"host key changed": {func(t *testing.T, m *Master) []string {
			host := writeKey(t, filepath.Join(m.Dir, "other"))
			write(t, filepath.Join(m.Dir, "known_hosts"), 0o600, fmt.Sprintf("[127.0.0.1]:%d %s", m.Server.Port, host))
			return nil
		}, "Host key verification failed"},
		"host key unknown": {func(t *testing.T, m *Master) []string {
			write(t, filepath.Join(m.Dir, "known_hosts"), 0o600, "")
			return nil
		}, "Host key verification failed"},
	} {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
				r, pid := m.Background(t, c.option(t, m)...)
				require.Equal(t, 255, r.Code, r.Stderr)
				require.Contains(t, r.Stderr, c.says)
				require.Zero(t, pid)
				require.False(t, exists(m.Control))
			})
		})
	}
}
