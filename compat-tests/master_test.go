package compat

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Kind is which program is the master.
type Kind string

// The two masters. Each expectation is proven against stock before it is asked of ours.
const (
	Stock Kind = "stock" // ssh -M
	Ours  Kind = "ours"  // ssh-master
)

// kinds is both, or the one that COMPAT_MASTER names.
func kinds(t testing.TB) []Kind {
	t.Helper()
	switch only := Kind(os.Getenv("COMPAT_MASTER")); only {
	case "":
		return []Kind{Stock, Ours}
	case Stock, Ours:
		return []Kind{only}
	default:
		t.Fatalf("COMPAT_MASTER is %q, not stock or ours", only)
		return nil
	}
}

// program is the argument list up to where the arguments common to both begin.
func (k Kind) program(t testing.TB) []string {
	if k == Stock {
		return []string{program(t, "ssh")}
	}
	return []string{sshMaster(t)}
}

// Setup is what a master and its server are started with. The zero value is what most tests want.
type Setup struct {
	Server      []string // lines of sshd_config, before the defaults
	Client      []string // lines of ssh_config that master and clients share
	Options     []string // arguments of the master alone
	Own         []string // and of ssh-master alone
	Control     string   // the socket's name in Dir; "ctl" when empty
	KeepOpen    bool     // the server goes on listening, for tests of fallback and of reconnecting
	Plain       bool     // never the race detector, for tests that move much data
	Terminals   bool     // the behaviour wants terminals on the far side
	NotStarted  bool     // the test starts the master itself
	Environment []string // of the master alone
}

// Master is a server, a client configuration, and a master that is connected to it.
type Master struct {
	Kind    Kind
	Dir     string
	Server  *Server
	Control string // path of the control socket
	LogFile string // what it was told to log to with -E
	setup   Setup
	binary  []string
	process *Process
}

// forEachMaster runs a behaviour against both masters, side by side. The server has stopped listening by then, so that
// a client which logs in by itself, instead of attaching, fails.
func forEachMaster(t *testing.T, setup Setup, behaviour func(t *testing.T, m *Master)) {
	t.Helper()
	t.Parallel()
	for _, kind := range kinds(t) {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			behaviour(t, newMaster(t, kind, setup))
		})
	}
}

// onlyOurs runs a behaviour that stock does not have; the reason is for the reader.
func onlyOurs(t *testing.T, because string, setup Setup, behaviour func(t *testing.T, m *Master)) {
	t.Helper()
	t.Parallel()
	for _, kind := range kinds(t) {
		if kind != Ours {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			t.Log("not compared with stock:", because)
			behaviour(t, newMaster(t, kind, setup))
		})
	}
}

// newMaster starts a server and, unless the setup says otherwise, a master that is connected to it.
func newMaster(t testing.TB, kind Kind, setup Setup) *Master {
	t.Helper()
	if because := noTerminals(t); setup.Terminals && because != "" {
		t.Skip(because)
	}
	dir := shortDir(t)
	if setup.Control == "" {
		setup.Control = "ctl"
	}
	m := &Master{
		Kind: kind, Dir: dir, Server: startServer(t, dir, setup.Server...),
		Control: filepath.Join(dir, setup.Control), LogFile: filepath.Join(dir, "master.log"),
		setup: setup, binary: kind.program(t),
	}
	if kind == Ours && setup.Plain {
		m.binary = []string{plainSSHMaster(t)}
	}
	m.Server.writeClientConfig(t, m.Control, setup.Client)
	if !setup.NotStarted {
		m.Start(t)
	}
	return m
}

// Command is the master's own command line: the program, the configuration, and args.
func (m *Master) Command(args ...string) []string {
	return append(append([]string{}, m.binary...), append([]string{"-F", m.Server.Config}, args...)...)
}

// Start starts the master in the foreground, as `ssh -M -N` or the same line with the name replaced, in a session of
// its own so that no test's terminal is its controlling one, and waits until its socket answers.
func (m *Master) Start(t testing.TB) {
	t.Helper()
	options := m.setup.Options
	if m.Kind == Ours {
		options = slices.Concat(options, m.setup.Own)
	}
	args := m.Command(slices.Concat([]string{"-M", "-N", "-E", m.LogFile}, options, []string{Target})...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir = environment(m.setup.Environment...), m.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	words, err := os.OpenFile(m.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer words.Close()
	cmd.Stdout, cmd.Stderr = words, words
	m.process = start(t, cmd)
	t.Cleanup(func() { m.report(t) })
	m.WaitReady(t)
	if !m.setup.KeepOpen {
		m.Server.StopListening()
	}
}

// report shows the master's own words where a test failed.
func (m *Master) report(t testing.TB) {
	if !t.Failed() {
		return
	}
	if words, err := os.ReadFile(m.LogFile); err == nil && len(words) > 0 {
		t.Logf("%s master's log:\n%s", m.Kind, words)
	}
	if words, err := os.ReadFile(m.Server.LogFile()); err == nil && len(words) > 0 {
		t.Logf("its server's log:\n%s", words)
	}
}

// WaitReady waits until somebody greets at the control socket.
func (m *Master) WaitReady(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !m.Answers() {
		if m.process != nil && !m.process.Running() {
			words, _ := os.ReadFile(m.LogFile)
			require.FailNow(t, "the master ended before it was ready", "%s", words)
		}
		if time.Now().After(deadline) {
			words, _ := os.ReadFile(m.LogFile)
			require.FailNow(t, "the master never became ready", "%s", words)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Answers tells whether somebody greets at the control socket.
func (m *Master) Answers() bool {
	conn, err := net.Dial("unix", m.Control)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// PID is the process id of the master that the test started in the foreground.
func (m *Master) PID() int { return m.process.PID() }

// Running tells whether that process has not ended.
func (m *Master) Running() bool { return m.process.Running() }

// Signal sends it a signal.
func (m *Master) Signal(t testing.TB, s os.Signal) { t.Helper(); m.process.Signal(t, s) }

// Wait waits for its end and returns its exit status.
func (m *Master) Wait(t testing.TB) int { t.Helper(); return m.process.Wait(t) }

// End asks the master to exit with -O exit and verifies that it is gone, its socket too.
func (m *Master) End(t testing.TB) {
	t.Helper()
	r := m.Ask(t, "exit")
	require.Equal(t, 0, r.Code, r.Stderr)
	m.Wait(t)
	require.False(t, exists(m.Control), "the socket is still there")
}

// SSH is the command line of a client that attaches to the master: ssh -F config args.
func (m *Master) SSH(args ...string) []string {
	return append([]string{"ssh", "-F", m.Server.Config}, args...)
}

// noLogin is an option of clients: who has it attaches to a master or fails, also where a server listens.
const noLogin = "-oProxyCommand=false"

// servesAnew finds that a master which has lost its link, and whose server listens, is still there and connects for the
// next session.
func (m *Master) servesAnew(t testing.TB) {
	t.Helper()
	r := run(t, Command{Args: m.SSH(noLogin, Target, "echo anew; exit 3")})
	require.Equal(t, Result{Stdout: "anew\n", Code: 3}, r)
	require.Equal(t, m.PID(), m.CheckPID(t))
}

// Session runs command in a session on the master.
func (m *Master) Session(t testing.TB, command ...string) Result {
	t.Helper()
	return run(t, Command{Args: m.SSH(append([]string{Target}, command...)...)})
}

// Ask runs ssh -O with one of its commands.
func (m *Master) Ask(t testing.TB, command string, args ...string) Result {
	t.Helper()
	return run(t, Command{Args: m.SSH(append(append([]string{"-O", command}, args...), Target)...)})
}

// CheckPID is the process id that -O check tells.
func (m *Master) CheckPID(t testing.TB) int {
	t.Helper()
	r := m.Ask(t, "check")
	require.Equal(t, 0, r.Code, r.Stderr)
	var pid int
	_, err := fmt.Sscanf(r.Stderr, "Master running (pid=%d)", &pid)
	require.NoError(t, err, r.Stderr)
	return pid
}
