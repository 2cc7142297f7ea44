package compat

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What ssh is called with decides which socket it looks for; ensure makes that one.
func TestEnsureKnowsTheOptions(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil, "alias": nil})
	port := strconv.Itoa(e.Servers["alias"].Port)
	id, known := filepath.Join(e.Servers["alias"].Dir, "id"), filepath.Join(e.Servers["alias"].Dir, "known_hosts")
	for i, args := range [][]string{
		{"-p", port, "-i", id, "-oUserKnownHostsFile=" + known, "host"},
		{"-oUserKnownHostsFile=" + known, "-i" + id, "host", "-Tnp" + port, "--"},
		{"-oUserKnownHostsFile " + known, "-i" + id, fmt.Sprintf("ssh://%s@host:%s", e.Servers["host"].User, port)},
	} {
		require.Equal(t, inAndOut, run(t, e.ssh(append(args, outErr3)...)), args)
		require.Equal(t, 1, e.logins("alias"), "%d: all of them are one connection", i)
		require.Zero(t, e.logins("host"))
	}
	// On Linux the host need not be said.
	write(t, e.Config, 0o600, strings.Replace(read(t, e.Config), "-O ensure -- %n", "-O ensure", 1))
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Equal(t, 1, e.logins("host"))
	require.Len(t, e.sockets(t), 2)
	// The command's own options are none of ssh's.
	require.Equal(t, Result{Stdout: "-p 1\n"}, run(t, e.ssh("host", "echo", "-p", "1")))
	require.Equal(t, 1, e.logins("host"))
}

// Who has plans of his own is left alone, and where ensure says no ssh goes its normal way.
func TestEnsureSaysNo(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil, "yes": {"ControlMaster yes"}})
	mine := filepath.Join(e.Dir, "mine")
	for i, args := range [][]string{
		{"-S", mine, "host"}, {"-oControlPath=" + mine, "host"}, {"-S", "none", "host"}, {"yes"},
	} {
		require.Equal(t, inAndOut, run(t, e.ssh(append(args, outErr3)...)), args)
		require.Equal(t, i+1, e.logins("host")+e.logins("yes"), "a login of its own")
		require.False(t, exists(mine))
		require.Empty(t, e.sockets(t))
	}
	t.Run("a master of its own", func(t *testing.T) {
		r := run(t, e.ssh("-M", "-S", mine, "-oControlPersist=yes", "-fN", "host"))
		require.Equal(t, 0, r.Code, r.Stderr)
		require.True(t, exists(mine))
		require.Equal(t, 0, run(t, e.ssh("-S", mine, "-O", "exit", "host")).Code)
	})
	t.Run("no daemon can be", func(t *testing.T) {
		c := e.ssh("host", outErr3)
		c.Env = []string{"SSH_MASTER_SOCK=/proc/nowhere/at/all"}
		require.Equal(t, inAndOut, run(t, c))
	})
	t.Run("said by hand", func(t *testing.T) {
		r := e.own(t, "-O", "ensure", "yes")
		require.Equal(t, 255, r.Code)
		require.Contains(t, r.Stderr, "ControlMaster is yes for yes")
		r = e.own(t, "-O", "ensure", "host")
		require.Equal(t, 0, r.Code)
		require.Regexp(t, `^Master running \(pid=\d+\) at .*/cm/`, r.Stderr)
	})
}

// A stock master keeps its path until it is to be replaced, and its sessions until they end.
func TestEnsureReplace(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil})
	require.Equal(t, 0, e.own(t, "-O", "ensure", "host").Code)
	path := e.sockets(t)[0]
	require.Equal(t, Result{Stderr: "Stop listening request sent.\r\n"}, e.own(t, "-O", "stop", "-S", path))
	require.Empty(t, e.sockets(t))

	stock := start(t, e.ssh("-M", "-S", path, "host", "sleep 60").prepare(t.Context()))
	eventually(t, func() bool { return exists(path) }, "no stock master")
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Equal(t, 1, e.logins("host"), "by the stock master")
	r := e.own(t, "-O", "ensure", "host")
	require.Equal(t, 0, r.Code)
	require.Contains(t, r.Stderr, fmt.Sprintf("pid=%d), of somebody else's making", stock.PID()))

	r = e.own(t, "-O", "ensure", "--replace", "host")
	require.Equal(t, 0, r.Code, r.Stderr)
	require.Contains(t, r.Stderr, fmt.Sprintf("pid=%d) at", e.daemon()))
	require.Equal(t, inAndOut, run(t, e.ssh("host", outErr3)))
	require.Equal(t, 2, e.logins("host"), "by the daemon's master")
	require.True(t, stock.Running())
}

// A master of one host can take another one's place, too.
func TestReplace(t *testing.T) {
	onlyDaemon(t)
	m := newMaster(t, Stock, Setup{KeepOpen: true})
	fresh := *m
	fresh.Kind, fresh.binary = Ours, Ours.program(t)
	r := run(t, Command{Args: fresh.Command("-M", "-N", Target), Env: []string{"HOME=" + m.Dir}})
	require.Equal(t, 255, r.Code)
	require.Contains(t, r.Stderr, strconv.Itoa(m.PID()))

	begun := filepath.Join(m.Dir, "begun")
	stays := start(t, Command{Args: m.SSH(Target, "touch "+begun+"; sleep 60")}.prepare(t.Context()))
	eventually(t, func() bool { return exists(begun) }, "no session")
	r, pid := fresh.Background(t, "--replace")
	require.Equal(t, Result{}, r)
	require.NotEqual(t, m.PID(), pid)
	require.Equal(t, pid, m.CheckPID(t))
	require.True(t, stays.Running())
	require.True(t, m.Running())
}

// How long ensure takes is no test's to judge, on this machine; it is told.
func TestEnsureIsQuick(t *testing.T) {
	onlyDaemon(t)
	e := newEveryHost(t, map[string][]string{"host": nil})
	var took []time.Duration
	for range 20 {
		begin := time.Now()
		require.Equal(t, 0, e.own(t, "-O", "ensure", "host").Code)
		took = append(took, time.Since(begin).Round(100*time.Microsecond))
	}
	t.Logf("with the daemon's start %v, then %v", took[0], took[1:])
	require.Zero(t, e.logins("host"))
}
