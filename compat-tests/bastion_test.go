package compat

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A landscape is computers of their own, made of network namespaces: the laptop, where all commands of a test run, and
// hosts behind each other. A host can be reached only from the one that it is connected to: nobody passes packets on.
type landscape struct {
	Dir    string
	Config string
	hosts  map[string]*farHost
}

// farHost is a computer with an SSH server at port 22.
type farHost struct {
	place   string   // name of the network namespace
	address string   // seen from the host on the way to it
	from    string   // that host's address, which it sees connections come from
	log     string   // of a host without codes
	codes   []string // the second factors that it takes, each once
	key     string   // the user's key
	config  []string // lines of its block in the client configuration
}

// A hostPlan says where a host is.
type hostPlan struct {
	name   string
	behind string   // another host's name; the laptop when empty
	codes  []string // with codes every login must give one, after the key
	config []string
}

var landscapes atomic.Int32

// newLandscape makes the computers in order, and removes them with the test.
func newLandscape(t *testing.T, plans ...hostPlan) *landscape {
	t.Helper()
	needNamespaces(t)
	l := &landscape{Dir: shortDir(t), hosts: map[string]*farHost{}}
	l.Config = filepath.Join(l.Dir, "config")
	prefix := fmt.Sprintf("ct%d-%d-", os.Getpid(), landscapes.Add(1))
	l.hosts[""] = &farHost{place: prefix + "laptop"}
	addPlace(t, l.hosts[""].place)
	for i, plan := range plans {
		h := &farHost{
			place: prefix + plan.name, codes: plan.codes, config: plan.config,
			address: fmt.Sprintf("10.77.%d.2", i), from: fmt.Sprintf("10.77.%d.1", i),
		}
		l.hosts[plan.name] = h
		addPlace(t, h.place)
		connect(t, l.hosts[plan.behind].place, h, i)
		l.serve(t, plan.name, h)
	}
	l.writeConfig(t, plans)
	return l
}

// needNamespaces skips where a test cannot make network namespaces. Where CI is set, root must be able to.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	program(t, "ip")
	r, err := Command{Args: []string{program(t, "unshare"), "-n", "-m", "true"}}.run()
	if (err != nil || r.Code != 0) && os.Getenv("CI") == "" {
		t.Skip("this root may make no namespaces: ", r.Stderr)
	}
	program(t, "ssh")
	program(t, "sshd")
}

func addPlace(t *testing.T, name string) {
	t.Helper()
	ip(t, "netns", "add", name)
	t.Cleanup(func() { removePlace(t, name) })
	ip(t, "-n", name, "link", "set", "lo", "up")
	r := run(t, Command{Args: []string{"ip", "netns", "exec", name, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"}})
	require.Equal(t, 0, r.Code, r.Stderr)
}

// removePlace ends what is left in a namespace that the test has made: sshd's children, for instance, whose parent is gone.
func removePlace(t *testing.T, name string) {
	for range 100 {
		r, err := Command{Args: []string{"ip", "netns", "pids", name}}.run()
		if err != nil || strings.TrimSpace(r.Stdout) == "" {
			break
		}
		for _, word := range strings.Fields(r.Stdout) {
			var pid int
			if _, err := fmt.Sscan(word, &pid); err == nil && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r, err := (Command{Args: []string{"ip", "netns", "del", name}}).run(); err != nil || r.Code != 0 {
		t.Errorf("the network namespace %s is still there: %v %s", name, err, r.Stderr)
	}
}

// connect lays a cable between a host and the one before it.
func connect(t *testing.T, before string, h *farHost, number int) {
	t.Helper()
	near := fmt.Sprintf("down%d", number)
	ip(t, "link", "add", near, "netns", before, "type", "veth", "peer", "name", "wire", "netns", h.place)
	ip(t, "-n", before, "addr", "add", h.from+"/30", "dev", near)
	ip(t, "-n", before, "link", "set", "dev", near, "up")
	ip(t, "-n", h.place, "addr", "add", h.address+"/30", "dev", "wire")
	ip(t, "-n", h.place, "link", "set", "dev", "wire", "up")
	// It answers whoever can send to it: that nobody else can is not for want of a way back.
	ip(t, "-n", h.place, "route", "add", "default", "via", h.from)
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	r := run(t, Command{Args: append([]string{"ip"}, args...)})
	require.Equal(t, 0, r.Code, "ip %v: %s", args, r.Stderr)
}

// in puts a command line into a host's place. The process that runs it becomes that command.
func (h *farHost) in(args ...string) []string {
	return append([]string{"ip", "netns", "exec", h.place}, args...)
}

// serve starts the host's server: OpenSSH's, or, where a code is asked, that of package sshtest, because sshd asks for
// one only through PAM.
func (l *landscape) serve(t *testing.T, name string, h *farHost) {
	t.Helper()
	dir := filepath.Join(l.Dir, name)
	require.NoError(t, os.Mkdir(dir, 0o700))
	if len(h.codes) > 0 {
		h.serveCodes(t, dir)
		return
	}
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	h.key, h.log = filepath.Join(dir, "id"), filepath.Join(dir, "log")
	hostKey := writeKey(t, filepath.Join(dir, "host_key"))
	write(t, filepath.Join(dir, "authorized_keys"), 0o600, writeKey(t, h.key))
	write(t, filepath.Join(dir, "known_hosts"), 0o600, h.address+" "+hostKey)
	write(t, filepath.Join(dir, "sshd_config"), 0o600, strings.Join([]string{
		"ListenAddress " + h.address, "HostKey " + filepath.Join(dir, "host_key"), "AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"),
		"UsePAM no", "StrictModes no", "LogLevel VERBOSE", "PidFile none", "PasswordAuthentication no", "PermitRootLogin yes",
		"PrintMotd no", "PrintLastLog no", "PermitUserRC no", "Subsystem sftp internal-sftp", "SetEnv HOME=" + dir, "",
	}, "\n"))
	sshd := program(t, "sshd")
	args := h.in(sshd, "-D", "-f", filepath.Join(dir, "sshd_config"), "-E", h.log)
	start(t, exec.Command(args[0], args[1:]...))
	eventually(t, func() bool {
		words, _ := os.ReadFile(h.log)
		return strings.Contains(string(words), "Server listening on "+h.address)
	}, "%s: sshd does not listen", name)
}

func (h *farHost) serveCodes(t *testing.T, dir string) {
	t.Helper()
	h.key = filepath.Join(dir, "client_key")
	serve := serveBinary.get(t, "serve", "sshmaster/master/internal/sshtest/serve")
	args := h.in(serve, "-dir", dir, "-shell", dir, "-listen", h.address+":22", "-codes", strings.Join(h.codes, ","))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environment()
	_, _, _, port := startListening(t, cmd)
	require.Equal(t, 22, port)
}

// writeConfig writes what a user has, as the README shows it.
func (l *landscape) writeConfig(t *testing.T, plans []hostPlan) {
	t.Helper()
	me, err := user.Current()
	require.NoError(t, err)
	var text []string
	for _, plan := range plans {
		h := l.hosts[plan.name]
		text = append(append(text, "Host "+plan.name, "HostName "+h.address, "IdentityFile "+h.key,
			"UserKnownHostsFile "+filepath.Join(l.Dir, plan.name, "known_hosts")), h.config...)
		if plan.behind != "" {
			text = append(text, "ProxyJump "+plan.behind)
		}
	}
	text = append(text, "Host *", "User "+me.Username, "ControlPath "+filepath.Join(l.Dir, "control-%r@%h:%p.sock"),
		"IdentitiesOnly yes", "IdentityAgent none", "GlobalKnownHostsFile /dev/null", "StrictHostKeyChecking yes", "UpdateHostKeys no")
	write(t, l.Config, 0o600, strings.Join(text, "\n")+"\n")
}

// ssh is a command line on the laptop.
func (l *landscape) ssh(args ...string) []string {
	return l.hosts[""].in(append([]string{"ssh", "-F", l.Config}, args...)...)
}

// master is the command line on the laptop that leaves a master in the background.
func (l *landscape) master(t *testing.T, kind Kind, args ...string) []string {
	return l.hosts[""].in(append(append(kind.program(t), "-F", l.Config, "-M", "-N", "-f"), args...)...)
}

// socket is where a host's master listens.
func (l *landscape) socket(t *testing.T, name string) string {
	t.Helper()
	me, err := user.Current()
	require.NoError(t, err)
	return filepath.Join(l.Dir, fmt.Sprintf("control-%s@%s:22.sock", me.Username, l.hosts[name].address))
}

// asked starts a master at a terminal and gives the codes that are asked for, in order. It returns what else was shown.
// The master is ended with the test, at the latest.
func (l *landscape) asked(t *testing.T, line []string, host string, codes ...string) string {
	t.Helper()
	term := newTerminal(t)
	// A shell leads the terminal's session, as in life, and stays: its end would hang up on all that it started.
	term.Start(t, nil, append([]string{"sh", "-c", `"$@"; echo "code $?"; read line`, "sh"}, line...)...)
	shown := ""
	for _, code := range codes {
		shown += term.Expect(t, "One-time code: ")
		eventually(t, func() bool { return strings.Contains(term.State(t).Modes, "-echo ") }, "the code would be shown")
		term.Type(t, code+"\n")
	}
	shown += term.Expect(t, "code 0")
	require.Equal(t, len(codes), strings.Count(shown, "One-time code: "), shown)
	require.NotContains(t, shown, "Permission denied")
	l.pid(t, host)
	return shown
}

// unasked does so where nobody can be asked. Stock's jump processes keep the caller's stderr open, for as long as the
// master lives; ssh-master has none.
func (l *landscape) unasked(t *testing.T, kind Kind, host string) {
	t.Helper()
	line := l.master(t, kind, host)
	if kind == Stock {
		line = append([]string{"sh", "-c", `exec "$@" 2>/dev/null`, "sh"}, line...)
	}
	require.Equal(t, Result{}, run(t, Command{Args: line}))
	l.pid(t, host)
}

// pid is the process of a host's master, which is ended with the test.
func (l *landscape) pid(t *testing.T, host string) int {
	t.Helper()
	// With ControlMaster yes not even -O would attach.
	r := run(t, Command{Args: l.ssh("-O", "check", "-o", "ControlMaster=no", host)})
	require.Equal(t, 0, r.Code, r.Stderr)
	var pid int
	_, err := fmt.Sscanf(r.Stderr, "Master running (pid=%d)", &pid)
	require.NoError(t, err, r.Stderr)
	endWithTest(t, pid)
	return pid
}

// reaches runs a command on an inner host, where nobody can be asked, and finds that it came from the host before it.
func (l *landscape) reaches(t *testing.T, name string) {
	t.Helper()
	r := run(t, Command{Args: l.ssh("-o", "BatchMode=yes", name, `echo "$SSH_CONNECTION"; cat >&2; exit 3`), Stdin: strings.NewReader("in\n")})
	require.Equal(t, 3, r.Code, r.Stderr)
	require.Equal(t, "in\n", r.Stderr)
	h := l.hosts[name]
	fields := strings.Fields(r.Stdout)
	require.Len(t, fields, 4, r.Stdout)
	require.Equal(t, []string{h.from, h.address, "22"}, []string{fields[0], fields[2], fields[3]})
}

// unreachable: there is no way to the host but the one through the host before it.
func (l *landscape) unreachable(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		r := run(t, Command{Args: l.ssh("-o", "ProxyJump=none", "-o", "ControlPath=none", name, "true")})
		require.Equal(t, 255, r.Code)
		require.Contains(t, r.Stderr, "Network is unreachable")
	}
}

// logins is how often somebody logged in at a host with sshd.
func (l *landscape) logins(t *testing.T, name string) int {
	t.Helper()
	return strings.Count(read(t, l.hosts[name].log), "Accepted publickey")
}

// end ends the master of a host and finds its socket gone.
func (l *landscape) end(t *testing.T, host string) {
	t.Helper()
	pid := l.pid(t, host)
	r := run(t, Command{Args: l.ssh("-O", "exit", host)})
	require.Equal(t, 0, r.Code, r.Stderr)
	gone(t, pid)
	require.False(t, exists(l.socket(t, host)))
}

// company is the founding case: a bastion that asks for a code, and two servers behind it.
func company(t *testing.T, config []string, codes ...string) *landscape {
	return newLandscape(t,
		hostPlan{name: "jump-host", codes: codes, config: config},
		hostPlan{name: "internal-server-01", behind: "jump-host"},
		hostPlan{name: "internal-server-02", behind: "jump-host"},
	)
}

// auto is what the README tells to write for a bastion.
var auto = []string{"ControlMaster auto", "ControlPersist 8h"}

// The bastion asks once; whatever lies behind it is reached without a question, by ssh's own ProxyJump on the bastion's
// socket, and by a master for each inner host that goes through that socket.
func TestBastionAsksOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		l := company(t, auto, "314159")
		l.unreachable(t, "internal-server-01", "internal-server-02")
		l.asked(t, l.master(t, kind, "jump-host"), "jump-host", "314159")
		for range 2 {
			l.reaches(t, "internal-server-01")
			l.reaches(t, "internal-server-02")
		}
		r := run(t, Command{Args: l.ssh("-J", "jump-host", "-o", "BatchMode=yes", "internal-server-02", "echo by -J")})
		require.Equal(t, Result{Stdout: "by -J\n"}, r)

		for _, name := range []string{"internal-server-01", "internal-server-02"} {
			before := l.logins(t, name)
			l.unasked(t, kind, name)
			for range 3 {
				l.reaches(t, name)
			}
			require.Equal(t, before+1, l.logins(t, name), "one login of the master's, none of its slaves'")
		}
		l.end(t, "internal-server-01")
		l.end(t, "internal-server-02")
		l.end(t, "jump-host")
		// The code was good once: a second question could not have been answered.
		r = run(t, Command{Args: l.ssh("-o", "BatchMode=yes", "internal-server-01", "true")})
		require.Equal(t, 255, r.Code)
	})
}

// Where the bastion has no master, the master of an inner host asks for the bastion's code itself.
func TestMasterBehindBastionAsks(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		l := company(t, nil, "271828")
		l.asked(t, l.master(t, kind, "internal-server-01"), "internal-server-01", "271828")
		l.reaches(t, "internal-server-01")
		require.Equal(t, 1, l.logins(t, "internal-server-01"))
		l.end(t, "internal-server-01")
	})
}

// Three layers, of which two ask.
func TestThreeLayers(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		l := newLandscape(t,
			hostPlan{name: "global", codes: []string{"111111", "121212"}, config: auto},
			hostPlan{name: "regional", behind: "global", codes: []string{"222222", "232323"}, config: auto},
			hostPlan{name: "internal", behind: "regional"},
		)
		l.unreachable(t, "regional", "internal")
		// One after the other, each through the one before.
		l.asked(t, l.master(t, kind, "global"), "global", "111111")
		l.asked(t, l.master(t, kind, "regional"), "regional", "222222")
		l.reaches(t, "internal")
		l.unasked(t, kind, "internal")
		l.reaches(t, "internal")
		require.Equal(t, 2, l.logins(t, "internal"))
		for _, name := range []string{"internal", "regional", "global"} {
			l.end(t, name)
		}
		// And all at once, without a master on the way.
		shown := l.asked(t, l.master(t, kind, "-o", "ControlPersist=no", "internal"), "internal", "121212", "232323")
		require.Less(t, strings.Index(shown, l.hosts["global"].address), strings.Index(shown, l.hosts["regional"].address), "says who asks: %s", shown)
		l.reaches(t, "internal")
		l.end(t, "internal")
	})
}

// The line that people have in their shell's start-up file.
func TestCheckOrStart(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		l := company(t, auto, "161803")
		ensure := func() []string {
			check, master := l.ssh("-O", "check", "jump-host"), l.master(t, kind, "jump-host")
			return []string{"sh", "-c", strings.Join(check, " ") + " || " + strings.Join(master, " ")}
		}
		require.Contains(t, l.asked(t, ensure(), "jump-host", "161803"), "Control socket connect(")
		pid := l.pid(t, "jump-host")
		for range 2 {
			require.Contains(t, l.asked(t, ensure(), "jump-host"), fmt.Sprintf("Master running (pid=%d)", pid))
		}
		l.reaches(t, "internal-server-01")
		l.end(t, "jump-host")
	})
}

// ControlPersist: what rides on the bastion's socket holds it, then its time runs out, and the bastion asks anew.
func TestBastionExpires(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		l := company(t, []string{"ControlMaster auto", "ControlPersist 2s"}, "141421", "173205")
		l.asked(t, l.master(t, kind, "jump-host"), "jump-host", "141421")
		pid := l.pid(t, "jump-host")
		r := run(t, Command{Args: l.ssh("-o", "BatchMode=yes", "internal-server-01", "sleep 3.5; echo held")})
		require.Equal(t, Result{Stdout: "held\n"}, r)
		require.True(t, alive(pid))
		gone(t, pid)
		require.False(t, exists(l.socket(t, "jump-host")))
		l.asked(t, l.master(t, kind, "jump-host"), "jump-host", "173205")
		l.reaches(t, "internal-server-02")
	})
}

// A master that was killed leaves its socket, which the next one replaces. Stock does so with ControlMaster auto only: with
// -M it carries on without a socket.
func TestStaleSocketOfTheBastion(t *testing.T) {
	t.Parallel()
	l := company(t, auto, "244948", "264575")
	l.asked(t, l.master(t, Ours, "jump-host"), "jump-host", "244948")
	first := l.pid(t, "jump-host")
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	gone(t, first)
	require.True(t, exists(l.socket(t, "jump-host")))
	r := run(t, Command{Args: l.ssh("-O", "check", "jump-host")})
	require.Equal(t, 255, r.Code)
	require.Contains(t, r.Stderr, "Connection refused")
	l.asked(t, l.master(t, Ours, "jump-host"), "jump-host", "264575")
	require.NotEqual(t, first, l.pid(t, "jump-host"))
	l.reaches(t, "internal-server-01")
	l.end(t, "jump-host")
}

// Guides tell people to write ControlMaster yes, with which ssh logs in anew each time. ssh-master says so, by its own
// log as well as on the way to an inner host, and serves those whose configuration is right.
func TestControlMasterYesForTheBastion(t *testing.T) {
	t.Parallel()
	l := company(t, []string{"ControlMaster yes"}, "282842")
	shown := l.asked(t, l.master(t, Ours, "jump-host"), "jump-host", "282842")
	for _, words := range []string{
		"ControlMaster yes: with it ssh never attaches", "ControlMaster auto (or no)", "ControlPath ~/.ssh/control-%r@%h:%p.sock", "ControlPersist 8h",
	} {
		require.Contains(t, shown, words)
	}
	for _, args := range [][]string{{"jump-host", "true"}, {"-O", "check", "jump-host"}} {
		r := run(t, Command{Args: l.ssh(append([]string{"-o", "BatchMode=yes"}, args...)...)})
		require.Equal(t, 255, r.Code, "ssh would have asked for a code")
		require.Contains(t, r.Stderr, "Permission denied")
	}
	r := run(t, Command{Args: l.hosts[""].in(sshMaster(t), "-F", l.Config, "-O", "check", "jump-host")})
	require.Equal(t, 0, r.Code, r.Stderr)
	write(t, l.Config, 0o600, strings.Replace(read(t, l.Config), "ControlMaster yes", "ControlMaster auto", 1))
	l.reaches(t, "internal-server-01")
	l.end(t, "jump-host")
}
