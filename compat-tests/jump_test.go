package compat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Network is a number of servers, and one client configuration that knows the way to each.
type Network struct {
	Dir     string
	Config  string
	Servers map[string]*Server
}

// newNetwork starts a server for each name, with lines of its own for the client configuration. The control socket of a
// host is ctl-NAME in Dir.
func newNetwork(t testing.TB, hosts map[string][]string) *Network {
	t.Helper()
	n := &Network{Dir: shortDir(t), Servers: map[string]*Server{}}
	n.Config = filepath.Join(n.Dir, "config")
	var text []string
	for name, lines := range hosts {
		s := startServer(t, shortDir(t))
		n.Servers[name] = s
		text = append(append(text,
			"Host "+name, "HostName 127.0.0.1", fmt.Sprintf("Port %d", s.Port), "User "+s.User,
			"IdentityFile "+filepath.Join(s.Dir, "id"), "UserKnownHostsFile "+filepath.Join(s.Dir, "known_hosts"),
		), lines...)
	}
	text = append(text, "Host *", "IdentitiesOnly yes", "IdentityAgent none", "GlobalKnownHostsFile /dev/null",
		"StrictHostKeyChecking yes", "BatchMode yes", "UpdateHostKeys no", "ControlPath "+filepath.Join(n.Dir, "ctl-%n"))
	write(t, n.Config, 0o600, strings.Join(text, "\n")+"\n")
	return n
}

// Master starts a master of a kind for a host and waits until it serves.
func (n *Network) Master(t testing.TB, kind Kind, name string, options ...string) *Master {
	t.Helper()
	m := &Master{
		Kind: kind, Dir: n.Dir, Server: &Server{Dir: n.Servers[name].Dir, Config: n.Config},
		Control: filepath.Join(n.Dir, "ctl-"+name), LogFile: filepath.Join(n.Dir, "log-"+name), binary: kind.program(t),
	}
	args := m.Command(append(append([]string{"-M", "-N", "-E", m.LogFile}, options...), name)...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir = environment(), m.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	words, err := os.OpenFile(m.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer words.Close()
	cmd.Stdout, cmd.Stderr = words, words
	m.process = start(t, cmd)
	t.Cleanup(func() { m.report(t) })
	m.WaitReady(t)
	return m
}

// Serves runs commands on a host by its master: nobody logs in for them.
func (n *Network) Serves(t testing.TB, name string) {
	t.Helper()
	before := n.Servers[name].Logins()
	r := run(t, Command{Args: []string{"ssh", "-F", n.Config, name, "echo here; echo there >&2; exit 3"}})
	require.Equal(t, Result{Stdout: "here\n", Stderr: "there\n", Code: 3}, r)
	r = run(t, Command{Args: []string{"ssh", "-F", n.Config, name, "wc -c"}, Stdin: strings.NewReader(strings.Repeat("x", 3<<20))})
	require.Equal(t, fmt.Sprint(3<<20), strings.TrimSpace(r.Stdout), r.Stderr)
	require.Equal(t, before, n.Servers[name].Logins())
}

// eachKind runs a behaviour with both masters.
func eachKind(t *testing.T, behaviour func(t *testing.T, kind Kind)) {
	t.Parallel()
	for _, kind := range kinds(t) {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			behaviour(t, kind)
		})
	}
}

func TestProxyJump(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		n := newNetwork(t, map[string][]string{
			"bastion": nil, "inner1": {"ProxyJump bastion"}, "inner2": nil,
		})
		n.Master(t, kind, "inner1")
		n.Master(t, kind, "inner2", "-J", "bastion")
		for name, logins := range map[string]int{"bastion": 2, "inner1": 1, "inner2": 1} {
			require.Equal(t, logins, n.Servers[name].Logins(), "a process for each, so far")
		}
		n.Serves(t, "inner1")
		n.Serves(t, "inner2")
	})
}

func TestProxyJumpTwoHopsDeep(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		n := newNetwork(t, map[string][]string{
			"global": nil, "regional": {"ProxyJump global"}, "inner1": {"ProxyJump regional"}, "inner2": nil,
		})
		n.Master(t, kind, "inner1")
		n.Serves(t, "inner1")
		n.Master(t, kind, "inner2", "-J", "global,regional")
		n.Serves(t, "inner2")
		for name, logins := range map[string]int{"global": 2, "regional": 2, "inner1": 1, "inner2": 1} {
			require.Equal(t, logins, n.Servers[name].Logins())
		}
	})
}

func TestMasterOfTheBastionCarriesJumps(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		for _, outer := range kinds(t) {
			n := newNetwork(t, map[string][]string{
				"bastion": nil, "inner1": {"ProxyJump bastion"}, "inner2": {"ProxyJump bastion"},
			})
			bastion := n.Master(t, outer, "bastion")
			n.Servers["bastion"].StopListening()
			var own []string
			if kind == Ours {
				own = []string{"-oHoldTimeout=1"}
			}
			inner := []*Master{n.Master(t, kind, "inner1", own...), n.Master(t, kind, "inner2", own...)}
			n.Serves(t, "inner1")
			n.Serves(t, "inner2")
			require.Equal(t, 1, n.Servers["bastion"].Logins())

			r := run(t, Command{Args: []string{"ssh", "-F", n.Config, "-O", "exit", "bastion"}})
			require.Equal(t, 0, r.Code, r.Stderr)
			bastion.Wait(t)
			for i, m := range inner {
				if kind == Ours { // it is ready to serve again, and says what is missing
					r := run(t, Command{Args: []string{"ssh", "-F", n.Config, noLogin, fmt.Sprintf("inner%d", i+1), "true"}})
					require.Equal(t, 255, r.Code)
					require.Contains(t, r.Stderr, "jump host bastion")
					require.Contains(t, r.Stderr, "Connection refused")
					require.True(t, m.Answers())
					continue
				}
				require.Equal(t, 255, m.Wait(t))
				require.False(t, exists(m.Control))
			}
		}
	})
}

func TestBastionGoes(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		n := newNetwork(t, map[string][]string{"bastion": nil, "inner": {"ProxyJump bastion"}})
		m := n.Master(t, kind, "inner")
		n.Servers["bastion"].Cut()
		if kind == Stock {
			require.Equal(t, 255, m.Wait(t))
			require.False(t, exists(m.Control))
			return
		}
		r := run(t, Command{Args: []string{"ssh", "-F", n.Config, noLogin, "inner", "echo anew"}})
		require.Equal(t, Result{Stdout: "anew\n"}, r)
		require.Contains(t, read(t, m.LogFile), "jump host bastion: ")
		require.True(t, m.Running())
		require.Equal(t, 2, n.Servers["bastion"].Logins())
		require.Equal(t, 2, n.Servers["inner"].Logins())
	})
}

func TestJumpThatFails(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, map[string][]string{
		"bastion": nil, "inner": {"ProxyJump bastion"}, "looping": {"ProxyJump looping2"}, "looping2": {"ProxyJump looping"},
	})
	n.Servers["inner"].StopListening()
	fails := func(args ...string) string {
		r := run(t, Command{Args: append([]string{sshMaster(t), "-F", n.Config, "-M", "-N"}, args...)})
		require.Equal(t, 255, r.Code)
		return r.Stderr
	}
	require.Regexp(t, `ssh: connect to host 127\.0\.0\.1 port \d+: jump host bastion: connect failed: `, fails("inner"))
	require.Contains(t, fails("looping"), "jumphost loop via looping")
	n.Servers["bastion"].StopListening()
	require.Regexp(t, `jump host bastion on the way to inner: ssh: connect to host 127\.0\.0\.1 port \d+: Connection refused`, fails("inner"))
}

func TestControlMasterYesIsToldOf(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, map[string][]string{"bastion": {"ControlMaster yes"}, "inner": {"ProxyJump bastion"}})
	for name, want := range map[string]string{
		"bastion": "ControlMaster yes: with it ssh never attaches",
		"inner":   "jump host bastion: ControlMaster yes: with it ssh never attaches",
	} {
		m := n.Master(t, Ours, name)
		require.Contains(t, read(t, m.LogFile), want)
	}
}
