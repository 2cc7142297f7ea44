package compat

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What stock has nothing like: one ssh-master for every host. That ssh is the same program in both worlds is tested by
// everything else.

// onlyDaemon skips where only the stock master is looked at.
func onlyDaemon(t *testing.T) {
	t.Helper()
	t.Parallel()
	if os.Getenv("COMPAT_MASTER") == string(Stock) {
		t.Skip("stock has no such thing")
	}
}

// inAndOut is what [outErr3] comes to.
var inAndOut = Result{Stdout: "out\n", Stderr: "err\n", Code: 3}

const outErr3 = "echo out; echo err >&2; exit 3"

// A hundred at once, to a host that nobody has seen: one daemon, one login.
func TestHundredAtOnce(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"new": nil})
	e.Servers["new"].reconfigure(t, []string{"MaxSessions 200"})
	results := make([]Result, 100)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			c := e.ssh("new", fmt.Sprintf("echo %d; echo err >&2; exit 3", i))
			c.Timeout = 2 * patience
			results[i], _ = c.run()
		})
	}
	all.Wait()
	for i, r := range results {
		require.Equal(t, Result{Stdout: strconv.Itoa(i) + "\n", Stderr: "err\n", Code: 3}, r)
	}
	require.Equal(t, 1, e.logins("new"))
	require.Equal(t, []int{e.daemon()}, e.daemons(t))
	require.Len(t, e.sockets(t), 1)
}

// The daemon is killed while sessions run: they end, and the next ssh finds another daemon at the same path.
func TestDaemonKilled(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil, "other": nil})
	require.Equal(t, inAndOut, run(t, e.ssh("other", outErr3)))
	var under []<-chan outcomeOf
	begun := filepath.Join(e.Dir, "begun")
	for i := range 5 {
		c := e.ssh("host", fmt.Sprintf("touch %s%d; sleep 60", begun, i))
		ended := make(chan outcomeOf, 1)
		go func() {
			r, err := c.run()
			ended <- outcomeOf{r, err}
		}()
		under = append(under, ended)
	}
	for i := range under {
		eventually(t, func() bool { return exists(begun + strconv.Itoa(i)) }, "one has not begun")
	}
	require.Equal(t, 1, e.logins("host"))
	first := e.daemon()
	require.NotZero(t, first)
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	for _, ended := range under {
		o := <-ended
		require.NoError(t, o.err)
		require.Equal(t, 255, o.Code, o.Stderr)
	}
	before := e.sockets(t)
	require.Len(t, before, 2, "what the daemon has left behind")
	for _, name := range []string{"host", "other"} {
		require.Equal(t, inAndOut, run(t, e.ssh(name, outErr3)))
		require.Equal(t, 2, e.logins(name))
		require.Equal(t, inAndOut, run(t, e.ssh(name, outErr3)))
		require.Equal(t, 2, e.logins(name))
	}
	require.Equal(t, before, e.sockets(t))
	require.NotEqual(t, first, e.daemon())
}

// Hosts behind the same bastion share its link, which nobody logged in for by itself.
func TestDaemonSharesTheBastion(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{
		"bastion": nil, "inner1": {"ProxyJump bastion"}, "inner2": {"ProxyJump bastion"},
	})
	for _, name := range []string{"inner1", "inner2", "inner1", "bastion"} {
		require.Equal(t, inAndOut, run(t, e.ssh(name, outErr3)), name)
	}
	for name := range e.Servers {
		require.Equal(t, 1, e.logins(name), name)
	}
}

// The bastion's own ControlPersist decides how long its link stays, not that of what is behind it: a code is asked for
// once.
func TestDaemonKeepsTheBastion(t *testing.T) {
	onlyDaemon(t)
	for _, first := range []string{"the bastion's master is there", "the bastion has no master"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			e := newEveryHost(t, map[string][]string{
				"bastion": {"ControlPersist 1h"}, "inner1": {"ProxyJump bastion", "ControlPersist 1"}, "inner2": {"ProxyJump bastion", "ControlPersist 1"},
			})
			if first == "the bastion's master is there" {
				require.Equal(t, 0, run(t, e.ssh("-O", "check", "bastion")).Code)
			}
			for _, name := range []string{"inner1", "inner2"} {
				require.Equal(t, inAndOut, run(t, e.ssh(name, outErr3)), name)
				eventually(t, func() bool { return e.Servers[name].Connected() == 0 }, "the link is still there")
			}
			require.Equal(t, 1, e.Servers["bastion"].Connected())
			require.Equal(t, inAndOut, run(t, e.ssh("bastion", outErr3)))
			require.Equal(t, 1, e.logins("bastion"))
			require.Contains(t, run(t, e.command(sshMaster(t), "-O", "list")).Stdout, "bastion")
		})
	}
}

// An idle master closes its link and keeps its socket.
func TestDaemonIdle(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil}, "ControlPersist 1")
	for login := 1; login <= 2; login++ {
		require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
		require.Equal(t, login, e.logins("host"))
		eventually(t, func() bool { return e.Servers["host"].Connected() == 0 }, "the link is still there")
		require.Len(t, e.sockets(t), 1)
	}
	pid := e.daemon()
	r := run(t, e.ssh("-O", "check", "host"))
	require.Equal(t, Result{Stderr: fmt.Sprintf("Master running (pid=%d)\r\n", pid)}, r)
	require.Equal(t, 2, e.logins("host"), "nobody dials for a check")
}

// Other programs' habits with control sockets.
func TestDaemonAndHabits(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil})
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	pid, path := e.daemon(), e.sockets(t)[0]
	check := Result{Stderr: fmt.Sprintf("Master running (pid=%d)\r\n", pid)}

	// git-annex deletes socket files: the next ssh finds one.
	require.NoError(t, os.Remove(path))
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Equal(t, 1, e.logins("host"))

	// Ansible stops a master, whose tasks go on, and comes again at once.
	begun, goOn := filepath.Join(e.Dir, "begun"), filepath.Join(e.Dir, "go-on")
	task := e.ssh("host", fmt.Sprintf("touch %s; while ! [ -e %s ]; do sleep 0.1; done; echo done", begun, goOn))
	ended := make(chan Result, 1)
	go func() {
		r, _ := task.run()
		ended <- r
	}()
	eventually(t, func() bool { return exists(begun) }, "the task has not begun")
	require.Equal(t, Result{Stderr: "Stop listening request sent.\r\n"}, run(t, e.ssh("-O", "stop", "host")))
	require.False(t, exists(path), "the path is free at once")
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Equal(t, 2, e.logins("host"))
	write(t, goOn, 0o600, "")
	require.Equal(t, Result{Stdout: "done\n"}, <-ended)

	// Zed asks for the configuration, and then whether a master runs there.
	require.Equal(t, Result{Stderr: "Exit request sent.\r\n"}, run(t, e.ssh("-O", "exit", "host")))
	eventually(t, func() bool { return !exists(path) }, "the master is still there")
	g := run(t, e.ssh("-G", "host"))
	require.Contains(t, g.Stdout, "controlpath "+path+"\n")
	require.Equal(t, check, run(t, e.ssh("-O", "check", "host")))
	require.Equal(t, 2, e.logins("host"))

	// nixos-rebuild names no host that exists, and its own path.
	own := filepath.Join(e.Dir, "nix")
	require.Equal(t, 0, run(t, e.ssh("-oControlMaster=auto", "-oControlPersist=60", "-oControlPath="+own, "host", "true")).Code)
	require.Equal(t, Result{Stderr: "Exit request sent.\r\n"}, run(t, e.ssh("-oControlPath="+own, "-O", "exit", "dummyhost")))

	// To end what is not there makes nothing.
	before := e.sockets(t)
	r := run(t, e.ssh("-O", "exit", "nosuchhost"))
	require.Equal(t, 255, r.Code)
	require.Contains(t, r.Stderr, "Control socket connect(")
	require.Equal(t, before, e.sockets(t))
	require.Equal(t, pid, e.daemon())
}

// The caller that starts the daemon does not wait for it, and leaves nothing open.
func TestDaemonIsDetached(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil})
	extra, err := os.Create(filepath.Join(e.Dir, "extra"))
	require.NoError(t, err)
	defer extra.Close()
	c := e.ssh("host", outErr3)
	c.Extra = []*os.File{extra}
	require.Equal(t, inAndOut, run(t, c))
	pid := e.daemon()
	for _, name := range descriptors(pid) {
		require.NotContains(t, name, "extra")
		require.NotContains(t, name, "pipe:")
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	require.NoError(t, err)
	require.Equal(t, "/", dir)
	sid, err := unix.Getsid(pid)
	require.NoError(t, err)
	require.Equal(t, pid, sid)

	for _, path := range []string{e.socket, e.sockets(t)[0]} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		info, err = os.Stat(filepath.Dir(path))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}
	// Its end takes every socket along.
	require.Equal(t, Result{}, run(t, e.command(sshMaster(t), "-O", "exit")))
	gone(t, pid)
	require.Empty(t, e.sockets(t))
	require.False(t, exists(e.socket))
}

// The configuration changes.
func TestDaemonReloads(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"busy": nil, "idle": nil})
	require.Equal(t, 0, run(t, e.ssh("-O", "check", "idle")).Code)
	stays := start(t, e.ssh("busy", "sleep 60").prepare(t.Context()))
	eventually(t, func() bool { return e.logins("busy") == 1 }, "no login")
	reload := func() string { return run(t, e.command(sshMaster(t), "-O", "reload")).Stderr }
	require.Equal(t, "Masters: 2 unchanged.\r\n", reload())

	e.configure(t, "SetEnv CT_NEW=yes")
	require.Equal(t, "Masters: 2 made anew.\r\n", reload())
	for _, name := range []string{"busy", "idle"} {
		require.Equal(t, Result{Stdout: "yes\n"}, run(t, e.ssh(name, "echo $CT_NEW")))
	}
	require.Equal(t, 2, e.logins("busy"))
	require.True(t, stays.Running(), "what ran goes on")
	require.Equal(t, "Masters: 2 unchanged.\r\n", reload())
}

// A service manager holds the socket, and starts the daemon with it.
func TestDaemonActivated(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil})
	require.NoError(t, os.Mkdir(filepath.Dir(e.socket), 0o700))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: e.socket})
	require.NoError(t, err)
	defer l.Close()
	file, err := l.File()
	require.NoError(t, err)
	defer file.Close()
	c := e.command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0"`, sshMaster(t))
	c.Extra = []*os.File{file}
	daemon := start(t, c.prepare(t.Context()))
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Equal(t, daemon.PID(), e.daemon())
	daemon.Signal(t, syscall.SIGHUP)
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))

	// It is told to stop, and a session goes on. The manager starts no other one meanwhile: who comes is told no.
	begun, goOn := filepath.Join(e.Dir, "begun"), filepath.Join(e.Dir, "go-on")
	stays := start(t, e.ssh("host", fmt.Sprintf("touch %s; while ! [ -e %s ]; do sleep 0.1; done", begun, goOn)).prepare(t.Context()))
	eventually(t, func() bool { return exists(begun) }, "it has not begun")
	require.Equal(t, 0, run(t, e.command(sshMaster(t), "-O", "stop")).Code)
	r := e.own(t, "-O", "ensure", "host")
	require.Equal(t, 255, r.Code)
	require.Contains(t, r.Stderr, "the daemon is ending")
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)), "by itself")
	write(t, goOn, 0o600, "")
	require.Equal(t, 0, stays.Wait(t))
	require.Equal(t, 0, daemon.Wait(t))

	daemon = start(t, c.prepare(t.Context()))
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	daemon.Signal(t, syscall.SIGTERM)
	require.Equal(t, 0, daemon.Wait(t))
	require.True(t, exists(e.socket), "that is the manager's")
	require.Empty(t, e.sockets(t))
}

// The folder from which a master was first wanted may go, and a name need not be UTF-8.
func TestDaemonFromAFolderThatGoes(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"way": {"ProxyCommand none"}, "host": {"ControlPersist 1"}})
	folder := filepath.Join(e.Dir, "lat\xe9")
	require.NoError(t, os.Mkdir(folder, 0o700))
	e.configure(t, fmt.Sprintf("ProxyCommand ssh -F %s -S none -W %%h:%%p way", e.Config))
	c := e.ssh("host", outErr3)
	c.Dir = folder
	require.Equal(t, inAndOut, run(t, c))
	require.NotZero(t, e.daemon())
	require.Len(t, e.sockets(t), 1)
	eventually(t, func() bool { return e.Servers["host"].Connected() == 0 }, "the link is still there")
	require.NoError(t, os.Remove(folder))
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Regexp(t, `host +up `, run(t, e.command(sshMaster(t), "-O", "list")).Stdout)
	require.Contains(t, run(t, e.command(sshMaster(t), "-O", "reload")).Stderr, "Masters: 1 unchanged.")
}
