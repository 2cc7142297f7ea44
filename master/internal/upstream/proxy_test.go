package upstream_test

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
)

// throughProxy are options that reach a server by a program.
func throughProxy(t *testing.T, srv *sshtest.Server, mode, command string) upstream.Options {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	o := optionsAt(t, srv, srv.Addr())
	o.Host.ProxyCommand = strings.ReplaceAll(command, "SELF", self+" "+srv.Addr())
	o.Env = append(os.Environ(), "UPSTREAM_TEST_PROXY="+mode, "SHELL=/bin/sh")
	return o
}

// gone says whether there is no process of that id, or only a dead one that
// nobody has buried: not every container's init does.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return syscall.Kill(pid, 0) == syscall.ESRCH || err == nil && strings.Contains(string(stat), ") Z ")
}

// pids are the numbers that were shown.
func pids(t *testing.T, shown *screen) []int {
	t.Helper()
	var all []int
	for _, word := range strings.Fields(shown.String()) {
		pid, err := strconv.Atoi(word)
		require.NoError(t, err)
		all = append(all, pid)
	}
	return all
}

func TestProxyCommand(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	o := throughProxy(t, srv, "relay", "sh -c 'echo $$ >&2; exec SELF'")
	shown := &screen{}
	o.Stderr = shown
	l := dial(t, o)
	require.NoError(t, roundTrip(session(t, l), []byte("through")))
	require.True(t, l.Info().Proxied)
	require.NoError(t, l.SetInteractive(true))

	all := pids(t, shown)
	require.Len(t, all, 1)
	require.False(t, gone(all[0]))
	require.NoError(t, l.Close())
	soon(t, "the command is gone", func() bool { return gone(all[0]) })
	require.ErrorIs(t, l.Err(), upstream.ErrClosed)
}

func TestProxyCommandsFamilyGoesToo(t *testing.T) {
	sshtest.NoLeaks(t)
	if tty, err := os.Open("/dev/tty"); err == nil {
		require.NoError(t, tty.Close())
		// There a ProxyCommand stays in our process group, as with ssh, for it may ask something, and only it is ended.
		withoutTerminal(t)
		return
	}
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	// One that ignores HUP, in the background, and the command itself.
	o := throughProxy(t, srv, "relay", `sh -c 'sh -c "trap : HUP; echo \$\$ >&2; while :; do sleep 1000; done" </dev/null >/dev/null & echo $$ >&2; exec SELF'`)
	shown := &screen{}
	o.Stderr = shown
	l := dial(t, o)
	soon(t, "both have told their ids", func() bool { return strings.Count(shown.String(), "\n") == 2 })
	family := pids(t, shown)
	require.NoError(t, l.Close())
	for _, pid := range family {
		soon(t, "all are gone", func() bool { return gone(pid) })
	}
}

// withoutTerminal runs the test by itself in a session of its own, which has no terminal.
func withoutTerminal(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
}

func TestProxyCommandDies(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	o := throughProxy(t, srv, "relay", "sh -c 'echo $$ >&2; exec SELF'")
	shown := &screen{}
	o.Stderr = shown
	l := dial(t, o)
	require.NoError(t, syscall.Kill(pids(t, shown)[0], syscall.SIGKILL))
	require.ErrorIs(t, ended(t, l), upstream.ErrRemoteClosed)
}

func TestProxyCommandFails(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	o := throughProxy(t, srv, "", "sh -c 'echo bastion: no route >&2; exit 3'")
	err := failing(t, within(t), o)
	require.Equal(t, upstream.Greeted, err.Stage)
	require.Contains(t, err.Error(), "ProxyCommand ended with exit status 3: bastion: no route")

	o.Host.ProxyCommand = "/no/such/program"
	require.Contains(t, failing(t, within(t), o).Error(), "(exit status 127)")

	o.Env = append(o.Env, "SHELL=/no/such/shell")
	require.Contains(t, failing(t, within(t), o).Error(), "could not be started: No such file or directory")

	o.Host.ProxyCommand = "-"
	require.Contains(t, failing(t, within(t), o).Error(), "standard input")
}

func TestSilentProxyCommand(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	o := throughProxy(t, srv, "", "sh -c 'echo $$ >&2; exec sleep 1000'")
	o.Host.ConnectTimeout = 500 * time.Millisecond
	shown := &screen{}
	o.Stderr = shown
	err := failing(t, t.Context(), o)
	require.Contains(t, err.Error(), "Connection timed out during banner exchange")
	for _, pid := range pids(t, shown) {
		soon(t, "the command is gone", func() bool { return gone(pid) })
	}
}

func TestProxyUseFdpass(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	o := throughProxy(t, srv, "pass", "SELF")
	o.Host.ProxyUseFdpass = true
	l := dial(t, o)
	require.NoError(t, roundTrip(session(t, l), []byte("passed")))
	require.NoError(t, l.Close())

	o.Host.ProxyCommand = "true"
	require.Contains(t, failing(t, within(t), o).Error(), "ProxyCommand ended with exit status 0")
	o.Host.ProxyCommand = "echo nothing"
	require.Contains(t, failing(t, within(t), o).Error(), "ProxyCommand")
}

// On a terminal a ProxyCommand may have to ask for a password there, so it runs
// in our process group and is ended alone.
func TestProxyCommandOnATerminal(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^(TestProxyCommand|TestProxyCommandFails|TestSilentProxyCommand)$", "-test.v")
	tty, err := pty.Start(cmd)
	require.NoError(t, err)
	defer func() { _ = tty.Close() }()
	out, _ := io.ReadAll(tty) // ends in EIO
	require.NoError(t, cmd.Wait(), string(out))
	require.Contains(t, string(out), "--- PASS: TestProxyCommand ")
}
