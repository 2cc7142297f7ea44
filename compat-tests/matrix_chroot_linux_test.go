package compat

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// chroots is a place without an engine: each host is a Debian system in namespaces of its own, a cable from each leads
// to a switch of its network, and the process that leads a host ends with these tests, however they end.
type chroots struct {
	whole *testing.T // a host that one test starts again is there for the next
	dir   string     // of everything
	roots string     // Debian systems, by release
	hosts map[string]*chrooted
	wires int // the process whose network has the switches
}

type chrooted struct {
	name, release string
	serve         []string
	volumes       []string
	networks      []string // "outside", "inside"
	number        int      // the last part of its addresses
	among         string   // the host whose processes it shares; empty: it has its own
	root          string   // another root than the release's

	leader *Process
	stdin  io.Closer
}

// inChroots makes all hosts that docker-compose.yml names.
func inChroots(t *testing.T, roots string) place {
	t.Helper()
	c := &chroots{whole: t, dir: shortDir(t), roots: roots, hosts: map[string]*chrooted{}}
	for _, volume := range []string{"public", "identity", "control"} {
		require.NoError(t, os.Mkdir(filepath.Join(c.dir, "volume."+volume), 0o755))
	}
	c.wires = c.switches(t)
	all := c.plans(t)
	c.writeHosts(t, all)
	for _, h := range all {
		c.hosts[h.name] = h
		c.lead(t, h)
	}
	eventually(t, func() bool {
		known, _ := os.ReadFile(filepath.Join(c.dir, "volume.public", "known_hosts"))
		return strings.Count(string(known), "\n") == 9
	}, "not all servers have published their keys")
	return c
}

func (c *chroots) plans(t *testing.T) []*chrooted {
	t.Helper()
	serve := func(kind string) []string { return []string{"chroot", ".", "serve", kind} }
	server := func(name, release, kind string, networks ...string) *chrooted {
		return &chrooted{name: name, release: release, serve: serve(kind), volumes: []string{"public"}, networks: networks}
	}
	slave := func(name, release, among string) *chrooted {
		return &chrooted{name: name, release: release, volumes: []string{"control", "public"}, networks: []string{"outside"}, among: among}
	}
	everything := []string{"public", "identity", "control"}
	all := []*chrooted{
		{name: "keys", release: "bookworm", serve: serve("keys"), volumes: everything},
		server("debian-11", "bullseye", "sshd", "outside"), server("debian-12", "bookworm", "sshd", "outside"),
		server("debian-13", "trixie", "sshd", "outside"), server("debian-sid", "sid", "sshd", "outside"),
		server("dropbear", "bookworm", "dropbear", "outside"), server("tinyssh", "bookworm", "tinyssh", "outside"),
		server("bastion", "bookworm", "bastion", "outside", "inside"),
		server("inner-1", "bookworm", "sshd", "inside"), server("inner-2", "trixie", "sshd", "inside"),
		{name: "master", release: "bookworm", volumes: everything, networks: []string{"outside"}},
		slave("slave-11", "bullseye", "master"), slave("slave-12", "bookworm", "master"),
		slave("slave-13", "trixie", "master"), slave("slave-sid", "sid", "master"), slave("slave-apart", "trixie", ""),
		{
			name: "alone", root: c.bare(t), volumes: everything, networks: []string{"outside"}, among: "master",
			serve: []string{"sh", "-c", "while :; do HOME=/home/user USER=user chroot --userspec=1000:1000 . /ssh-master -o ControlPath=/control/alone -o MaxLinks=1 debian-13; sleep 0.2; done"},
		},
	}
	for i, h := range all {
		h.number = i + 10
	}
	return all
}

// bare makes the root that has the master's program and a configuration, and nothing else.
func (c *chroots) bare(t *testing.T) string {
	t.Helper()
	root := filepath.Join(c.dir, "bare")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc", "ssh"), 0o755))
	write(t, filepath.Join(root, "etc", "ssh", "ssh_config"), 0o644, read(t, "containers/ssh_config"))
	ok(t, Command{Args: []string{"cp", sshMaster(t), filepath.Join(root, "ssh-master")}})
	return root
}

// switches makes a network for the switches, which has no way out.
func (c *chroots) switches(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sh", "-c", "ip link add outside type bridge && ip link add inside type bridge && ip link set outside up && ip link set inside up && : >"+c.dir+"/wires && exec cat >/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe() // it ends when these tests do
	require.NoError(t, err)
	t.Cleanup(func() { _ = stdin.Close() })
	p := start(t, cmd)
	eventually(t, func() bool { return exists(c.dir + "/wires") }, "no switches")
	return p.PID()
}

// address is a host's in a network.
func (h *chrooted) address(network string) string {
	part := map[string]int{"outside": 0, "inside": 1}[network]
	return fmt.Sprintf("10.78.%d.%d", part, h.number)
}

// writeHosts writes what all hosts know of each other's addresses. That who is outside knows those inside does not help.
func (c *chroots) writeHosts(t *testing.T, all []*chrooted) {
	t.Helper()
	text := "127.0.0.1 localhost\n"
	for _, h := range all {
		if len(h.networks) > 0 {
			text += h.address(h.networks[0]) + " " + h.name + "\n"
		}
	}
	write(t, filepath.Join(c.dir, "hosts"), 0o644, text)
}

// lead starts a host: the process that its other processes belong to, and its cables.
func (c *chroots) lead(t *testing.T, h *chrooted) {
	t.Helper()
	folder := filepath.Join(c.dir, h.name)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, volume := range h.volumes {
		write(t, filepath.Join(folder, "has."+volume), 0o600, "")
	}
	_ = os.Remove(filepath.Join(folder, "up"))
	here, err := filepath.Abs("containers")
	require.NoError(t, err)
	root := h.root
	if root == "" {
		root = filepath.Join(c.roots, h.release)
	}
	args := append([]string{"sh", filepath.Join(here, "host"), folder, root}, h.serve...)
	flags := uintptr(syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS)
	if h.among == "" {
		flags |= syscall.CLONE_NEWPID
	} else {
		args = append([]string{"nsenter", "-F", "--pid=" + c.processes(c.hosts[h.among])}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	said, err := os.Create(filepath.Join(folder, "said"))
	require.NoError(t, err)
	defer said.Close()
	cmd.Stderr = said
	h.stdin, err = cmd.StdinPipe()
	require.NoError(t, err)
	h.leader = start(c.whole, cmd)
	eventually(t, func() bool { return exists(filepath.Join(folder, "up")) || !h.leader.Running() }, "%s does not start", h.name)
	require.True(t, h.leader.Running(), "%s: %s", h.name, read(t, said.Name()))
	if h.name == "master" {
		ok(t, Command{Args: []string{"nsenter", "-t", itoa(h.leader.PID()), "-m", "cp", sshMaster(t), filepath.Join(folder, "root", "usr", "local", "bin", "ssh-master")}})
	}
	for _, network := range h.networks {
		c.cable(t, h, network)
	}
}

// hardware is the address of a host's card, which a restart does not change: the others know it by that.
func (h *chrooted) hardware(network string) string {
	part := map[string]int{"outside": 0, "inside": 1}[network]
	return fmt.Sprintf("02:00:00:00:%02x:%02x", part, h.number)
}

// plug is the name of a cable's end at the switch.
func (h *chrooted) plug(network string) string { return network[:2] + strconv.Itoa(h.number) }

func (c *chroots) cable(t *testing.T, h *chrooted, network string) {
	t.Helper()
	pid, wires := itoa(h.leader.PID()), itoa(c.wires)
	ip(t, "link", "add", h.plug(network), "netns", wires, "type", "veth", "peer", "name", network, "netns", pid,
		"address", h.hardware(network))
	c.inWires(t, "link", "set", h.plug(network), "master", network, "up")
	in := []string{"nsenter", "-t", pid, "-n", "ip"}
	ok(t, Command{Args: append(in, "addr", "add", h.address(network)+"/24", "dev", network)})
	ok(t, Command{Args: append(in, "link", "set", network, "up")})
}

func (c *chroots) inWires(t *testing.T, args ...string) {
	t.Helper()
	ok(t, Command{Args: append([]string{"nsenter", "-t", itoa(c.wires), "-n", "ip"}, args...)})
}

// processes is the namespace that a host's processes are in.
func (c *chroots) processes(h *chrooted) string {
	if h.among != "" {
		h = c.hosts[h.among]
	}
	return fmt.Sprintf("/proc/%d/ns/pid", h.leader.PID())
}

func (c *chroots) what() string {
	release, _ := exec.Command("uname", "-r").Output()
	return "chroots and network namespaces, Linux " + strings.TrimSpace(string(release))
}

func (c *chroots) command(host string, o on, args ...string) []string {
	h := c.hosts[host]
	line := []string{"nsenter", "-t", itoa(h.leader.PID()), "-m", "-n", "-u", "--pid=" + c.processes(h), "chroot"}
	home := "/root"
	if !o.root {
		line, home = append(line, "--userspec=user:user"), "/home/user"
	}
	line = append(line, filepath.Join(c.dir, host, "root"), "env", "-i", "TERM=xterm", "HOME="+home,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", `cd "$HOME" && exec "$@"`, "sh")
	return append(line, args...)
}

func (c *chroots) lend(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.Chown(path, 1000, -1)) // as compat-tests/containers/prepare numbers the user
}

func (c *chroots) log(t *testing.T, host string) string {
	t.Helper()
	return read(t, filepath.Join(c.dir, host, "log"))
}

func (c *chroots) cut(t *testing.T, host string) {
	t.Helper()
	c.inWires(t, "link", "set", c.hosts[host].plug("outside"), "down")
}

func (c *chroots) mend(t *testing.T, host string) {
	t.Helper()
	c.inWires(t, "link", "set", c.hosts[host].plug("outside"), "up")
}

// signal sends a signal to all processes of a host that does not share them.
func (c *chroots) signal(t *testing.T, host string, s syscall.Signal) {
	t.Helper()
	own, err := os.Readlink(c.processes(c.hosts[host]))
	require.NoError(t, err)
	all, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	require.NoError(t, err)
	for _, path := range all {
		if its, err := os.Readlink(path); err == nil && its == own {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			require.NoError(t, err)
			_ = syscall.Kill(pid, s) // it may have ended since
		}
	}
}

func (c *chroots) pause(t *testing.T, host string)  { c.signal(t, host, syscall.SIGSTOP) }
func (c *chroots) resume(t *testing.T, host string) { c.signal(t, host, syscall.SIGCONT) }

func (c *chroots) kill(t *testing.T, host string) {
	t.Helper()
	c.hosts[host].leader.kill() // and with it all of its processes
}

func (c *chroots) start(t *testing.T, host string) {
	t.Helper()
	h := c.hosts[host]
	eventually(t, func() bool {
		r := run(t, Command{Args: []string{"nsenter", "-t", itoa(c.wires), "-n", "ip", "link", "show", h.plug("outside")}})
		return r.Code != 0
	}, "the cables of %s are still there", host)
	c.lead(t, h)
}
