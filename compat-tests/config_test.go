package compat

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// A configCase is a configuration and a command line. $DIR is the folder of the run, $P and $Q the two ports of all hosts.
// Each host is an address of loopback and lets everybody in.
type configCase struct {
	name   string
	config string
	files  map[string]string // beside the configuration
	args   []string          // to be understood after -M -N
	env    []string
	names  bool // the names of hostsFile resolve

	socket string // regular expression for the control path, seen from $DIR
	where  string // user@address:port that is reached; empty when both masters must fail
}

// hostsFile is what a case with names has for /etc/hosts. ssh asks for a canonical name with a dot at its end.
const hostsFile = `127.0.0.1 localhost gate.example.test gate.example.test.
127.0.0.2 web.example.test web.example.test.
127.0.0.3 db.example.test db.example.test. web.inner.example.test web.inner.example.test.
`

var configCases = []configCase{
	{name: "tokens user host port", config: "Host web\nHostName 127.0.0.2\nUser anna\nControlPath $DIR/%r@%h:%p", args: []string{"web"}, socket: `anna@127\.0\.0\.2:\d+`, where: "anna@127.0.0.2:P"},
	{name: "-l wins", config: "Host web\nHostName 127.0.0.2\nUser anna\nControlPath $DIR/%r@%h:%p", args: []string{"-l", "bert", "web"}, socket: `bert@127\.0\.0\.2:\d+`, where: "bert@127.0.0.2:P"},
	{name: "user in the destination", config: "Host web\nHostName 127.0.0.2\nUser anna\nControlPath $DIR/%r@%n", args: []string{"cora@web"}, socket: `cora@web`, where: "cora@127.0.0.2:P"},
	{name: "-o User and an at sign", config: "ControlPath $DIR/%r", args: []string{"-o", "User=dora", "emil@127.0.0.1"}, socket: `dora`, where: "dora@127.0.0.1:P"},
	{name: "user with an at sign", config: "ControlPath $DIR/%r:%h", args: []string{"anna@corp@127.0.0.1"}, socket: `anna@corp:127\.0\.0\.1`, where: "anna@corp@127.0.0.1:P"},
	{name: "options after the destination", config: "User anna\nControlPath $DIR/%r-%p", args: []string{"127.0.0.1", "-p", "$Q", "-l", "bert"}, socket: `bert-\d+`, where: "bert@127.0.0.1:Q"},
	{name: "-p wins", config: "User anna\nControlPath $DIR/%p", args: []string{"-p", "$Q", "127.0.0.1"}, socket: `\d+`, where: "anna@127.0.0.1:Q"},
	{name: "address with a scheme", config: "ControlPath $DIR/%r@%h:%p", args: []string{"ssh://anna@127.0.0.3:$Q"}, socket: `anna@127\.0\.0\.3:\d+`, where: "anna@127.0.0.3:Q"},

	{name: "hash", config: "User anna\nControlPath $DIR/%C", args: []string{"127.0.0.1"}, socket: `[0-9a-f]{40}`, where: "anna@127.0.0.1:P"},
	{name: "hash with user and port", config: "Host web\nHostName 127.0.0.2\nControlPath $DIR/cm-%C", args: []string{"-p", "$Q", "bert@web"}, socket: `cm-[0-9a-f]{40}`, where: "bert@127.0.0.2:Q"},
	{name: "hash behind a jump host", config: "User anna\nControlPath $DIR/%C\nHost web\nHostName 127.0.0.2\nProxyJump gate\nHost gate\nHostName 127.0.0.3\nControlPath none", args: []string{"web"}, socket: `[0-9a-f]{40}`, where: "anna@127.0.0.2:P"},
	{name: "hash and -J", config: "User anna\nControlPath $DIR/%C", args: []string{"-J", "cora@127.0.0.3:$Q", "-S", "$DIR/j-%C", "127.0.0.1"}, socket: `j-[0-9a-f]{40}`, where: "anna@127.0.0.1:P"},
	{name: "jump none", config: "User anna\nControlPath $DIR/%C\nHost 127.0.0.2\nProxyJump none\nHost *\nProxyJump 127.0.0.9", args: []string{"127.0.0.2"}, socket: `[0-9a-f]{40}`, where: "anna@127.0.0.2:P"},
	{name: "name as typed", config: "User anna\nControlPath $DIR/%n-%h\nHost web\nHostName 127.0.0.2", args: []string{"web"}, socket: `web-127\.0\.0\.2`, where: "anna@127.0.0.2:P"},
	{name: "name in capitals", config: "User anna\nControlPath $DIR/%n-%h-%k\nHost web WEB\nHostName 127.0.0.2", args: []string{"WEB"}, socket: `(WEB|web)-127\.0\.0\.2-(WEB|web)`, where: "anna@127.0.0.2:P"},
	{name: "who and where we are", config: "User anna\nControlPath $DIR/%u-%i-%L-%l", args: []string{"127.0.0.1"}, socket: `\w+-\d+-.+-.+`, where: "anna@127.0.0.1:P"},
	{name: "host key alias", config: "User anna\nHostKeyAlias farm\nControlPath $DIR/%k", args: []string{"127.0.0.1"}, socket: `farm`, where: "anna@127.0.0.1:P"},
	{name: "percent sign", config: "User anna\nControlPath $DIR/%%h-%h", args: []string{"127.0.0.1"}, socket: `%h-127\.0\.0\.1`, where: "anna@127.0.0.1:P"},
	{name: "home folder token", config: "User anna\nControlPath %d/$UP$DIR/home", args: []string{"127.0.0.1"}, socket: `home`, where: "anna@127.0.0.1:P"},
	{name: "tilde", config: "User anna\nControlPath ~/$UP$DIR/home-%h", args: []string{"127.0.0.1"}, socket: `home-127\.0\.0\.1`, where: "anna@127.0.0.1:P"},
	{name: "environment", config: "User anna\nControlPath ${CT_DIR}/x-${CT_NAME}-%h", args: []string{"127.0.0.1"}, env: []string{"CT_DIR=$DIR", "CT_NAME=a%hb"}, socket: `x-a.*b-127\.0\.0\.1`, where: "anna@127.0.0.1:P"},
	{name: "environment not set", config: "User anna\nControlPath $DIR/x-${CT_NAME}", args: []string{"127.0.0.1"}},
	{name: "unknown token", config: "User anna\nControlPath $DIR/x-%Z", args: []string{"127.0.0.1"}},
	{name: "folder that does not exist", config: "User anna\nControlPath $DIR/no/such", args: []string{"127.0.0.1"}},
	{name: "path too long", config: "User anna\nControlPath $DIR/" + strings.Repeat("x", 110), args: []string{"127.0.0.1"}},
	{name: "relative path", config: "User anna\nControlPath rel-%h", args: []string{"127.0.0.1"}, socket: `rel-127\.0\.0\.1`, where: "anna@127.0.0.1:P"},
	{name: "path with a space", config: "User anna\nControlPath \"$DIR/a b\"", args: []string{"127.0.0.1"}, socket: `a b`, where: "anna@127.0.0.1:P"},

	{name: "-S wins", config: "User anna\nControlPath $DIR/file", args: []string{"-S", "$DIR/line-%r", "127.0.0.1"}, socket: `line-anna`, where: "anna@127.0.0.1:P"},
	{name: "-o wins", config: "User anna\nControlPath $DIR/file", args: []string{"-oControlPath=$DIR/line-%p", "127.0.0.1"}, socket: `line-\d+`, where: "anna@127.0.0.1:P"},
	{name: "first -o of two", config: "User anna", args: []string{"-o", "ControlPath $DIR/one", "-o", "ControlPath=$DIR/two", "127.0.0.1"}, socket: `one`, where: "anna@127.0.0.1:P"},
	{name: "-S against none", config: "User anna\nControlPath none", args: []string{"-S", "$DIR/line", "127.0.0.1"}, socket: `line`, where: "anna@127.0.0.1:P"},
	{name: "first value wins", config: "User anna\nHost web\nHostName 127.0.0.2\nControlPath $DIR/one\nHost *\nHostName 127.0.0.3\nUser bert\nControlPath $DIR/two", args: []string{"web"}, socket: `one`, where: "anna@127.0.0.2:P"},
	{name: "negated pattern", config: "Host *.lab !web.lab\nUser lab\nControlPath $DIR/lab\nHost *\nHostName 127.0.0.2\nUser anna\nControlPath $DIR/all", args: []string{"web.lab"}, socket: `all`, where: "anna@127.0.0.2:P"},
	{name: "question mark", config: "Host web?\nHostName 127.0.0.3\nUser anna\nControlPath $DIR/%n", args: []string{"web7"}, socket: `web7`, where: "anna@127.0.0.3:P"},
	{name: "HostName with a token", config: "Host 2 3\nHostName 127.0.0.%h\nUser anna\nControlPath $DIR/%n-%h", args: []string{"3"}, socket: `3-127\.0\.0\.3`, where: "anna@127.0.0.3:P"},
	{name: "spellings", config: "  hostNAME=127.0.0.2 # a comment\n\tUSER\t=\t\"anna\"\ncontrolpath=$DIR/%r", args: []string{"web"}, socket: `anna`, where: "anna@127.0.0.2:P"},
	{name: "IgnoreUnknown", config: "IgnoreUnknown Colour*\nColourScheme dark\nUser anna\nControlPath $DIR/x", args: []string{"127.0.0.1"}, socket: `x`, where: "anna@127.0.0.1:P"},
	{name: "unknown keyword", config: "ColourScheme dark\nUser anna\nControlPath $DIR/x", args: []string{"127.0.0.1"}},

	{name: "Include", config: "Include $DIR/more\nUser anna\nControlPath $DIR/late", files: map[string]string{"more": "Host web\nHostName 127.0.0.2\nControlPath $DIR/included-%n"}, args: []string{"web"}, socket: `included-web`, where: "anna@127.0.0.2:P"},
	{name: "Include of a pattern", config: "Include $DIR/conf.d/*\nControlPath $DIR/late", files: map[string]string{"conf.d/20": "User bert\nControlPath $DIR/20", "conf.d/10": "User anna"}, args: []string{"127.0.0.1"}, socket: `20`, where: "anna@127.0.0.1:P"},
	{name: "Include in a block that does not match", config: "Host other\nInclude $DIR/more\nHost *\nUser anna\nControlPath $DIR/late", files: map[string]string{"more": "ControlPath $DIR/included"}, args: []string{"127.0.0.1"}, socket: `late`, where: "anna@127.0.0.1:P"},
	{name: "Include within Include", config: "Match host web\nInclude $DIR/one\nHost *\nUser anna", files: map[string]string{"one": "Include $DIR/two\nHost *\nControlPath $DIR/one-%h", "two": "HostName 127.0.0.3"}, args: []string{"web"}, socket: `one-127\.0\.0\.3`, where: "anna@127.0.0.3:P"},

	{name: "Match host after HostName", config: "User anna\nHost web\nHostName 127.0.0.2\nMatch host 127.0.0.2\nControlPath $DIR/matched\nMatch host web\nControlPath $DIR/typed", args: []string{"web"}, socket: `matched`, where: "anna@127.0.0.2:P"},
	{name: "Match originalhost", config: "User anna\nHost web\nHostName 127.0.0.2\nMatch originalhost web\nControlPath $DIR/typed", args: []string{"web"}, socket: `typed`, where: "anna@127.0.0.2:P"},
	{name: "Match user", config: "Match user bert\nHostName 127.0.0.2\nControlPath $DIR/bert\nMatch user *,!bert\nControlPath $DIR/others", args: []string{"-l", "bert", "web"}, socket: `bert`, where: "bert@127.0.0.2:P"},
	{name: "Match localuser", config: "Match localuser $ME\nUser anna\nControlPath $DIR/me\nMatch all\nControlPath $DIR/all", args: []string{"127.0.0.1"}, socket: `me`, where: "anna@127.0.0.1:P"},
	{name: "Match exec", config: "Match exec \"test -e $DIR/flag\"\nHostName 127.0.0.3\nControlPath $DIR/yes\nMatch all\nUser anna\nControlPath $DIR/no", files: map[string]string{"flag": ""}, args: []string{"web"}, socket: `yes`, where: "anna@127.0.0.3:P"},
	{name: "Match exec fails", config: "Match exec \"test -e $DIR/flag\"\nControlPath $DIR/yes\nMatch !exec \"test -e $DIR/flag\"\nControlPath $DIR/no\nMatch all\nUser anna", args: []string{"127.0.0.1"}, socket: `no`, where: "anna@127.0.0.1:P"},
	{name: "Match exec with tokens", config: "Match host web exec \"test %n:%h:%r:%p = web:web:anna:$Q\"\nHostName 127.0.0.2\nControlPath $DIR/yes-%C\nMatch all\nControlPath $DIR/no", args: []string{"-p", "$Q", "anna@web"}, socket: `yes-[0-9a-f]{40}`, where: "anna@127.0.0.2:Q"},
	{name: "Match exec reads the environment", config: "Match exec \"test $CT_NET = office\"\nHostName 127.0.0.2\nControlPath $DIR/office\nMatch all\nHostName 127.0.0.3\nUser anna\nControlPath $DIR/away", args: []string{"web"}, env: []string{"CT_NET=office"}, socket: `(office|away)`, where: "anna@127.0.0.2:P"},
	{name: "Match final", config: "User anna\nHost web\nHostName 127.0.0.2\nMatch final host 127.0.0.2\nControlPath $DIR/final-%n\nMatch all\nPort $Q", args: []string{"web"}, socket: `final-web`, where: "anna@127.0.0.2:Q"},
	{name: "Match final comes too late", config: "User anna\nMatch final all\nControlPath $DIR/final\nPort $P\nHost web\nHostName 127.0.0.2\nControlPath $DIR/first\nPort $Q", args: []string{"web"}, socket: `first`, where: "anna@127.0.0.2:Q"},
	{name: "Match canonical without canonicalization", config: "User anna\nMatch canonical all\nControlPath $DIR/canonical\nMatch all\nControlPath $DIR/typed", args: []string{"127.0.0.1"}, socket: `typed`, where: "anna@127.0.0.1:P"},

	{name: "CanonicalizeHostname", names: true, config: "CanonicalizeHostname yes\nCanonicalDomains example.test\nUser anna\nControlPath $DIR/%n-%h", args: []string{"web"}, socket: `web-web\.example\.test`, where: "anna@127.0.0.2:P"},
	{name: "CanonicalizeHostname and Match canonical", names: true, config: "CanonicalizeHostname yes\nCanonicalDomains no.test example.test\nMatch canonical host db.example.test\nUser bert\nControlPath $DIR/canonical-%C\nMatch all\nControlPath $DIR/typed-%h", args: []string{"db"}, socket: `(canonical|typed)-.+`, where: "bert@127.0.0.3:P"},
	{name: "Host of the canonical name", names: true, config: "CanonicalizeHostname yes\nCanonicalDomains example.test\nHost web.example.test\nUser anna\nControlPath $DIR/%r@%h", args: []string{"web"}, socket: `anna@web\.example\.test`, where: "anna@127.0.0.2:P"},
	{name: "CanonicalizeMaxDots", names: true, config: "CanonicalizeHostname yes\nCanonicalizeMaxDots 0\nCanonicalDomains example.test\nUser anna\nControlPath $DIR/%h\nHost web.inner\nHostName 127.0.0.1", args: []string{"web.inner"}, socket: `127\.0\.0\.1`, where: "anna@127.0.0.1:P"},
	{name: "CanonicalizeMaxDots allows one", names: true, config: "CanonicalizeHostname yes\nCanonicalizeMaxDots 1\nCanonicalDomains example.test\nUser anna\nControlPath $DIR/%h", args: []string{"web.inner"}, socket: `web\.inner\.example\.test`, where: "anna@127.0.0.3:P"},
	{name: "CanonicalizeFallbackLocal no", names: true, config: "CanonicalizeHostname yes\nCanonicalizeFallbackLocal no\nCanonicalDomains no.test\nUser anna\nControlPath $DIR/%h", args: []string{"localhost"}},
	{name: "CanonicalizeFallbackLocal yes", names: true, config: "CanonicalizeHostname yes\nCanonicalDomains no.test\nUser anna\nControlPath $DIR/%h", args: []string{"localhost"}, socket: `localhost`, where: "anna@127.0.0.1:P"},
	{name: "CanonicalizeHostname always behind a jump host", names: true, config: "CanonicalizeHostname always\nCanonicalDomains example.test\nUser anna\nControlPath $DIR/%n-%h\nHost web web.example.test\nProxyJump gate\nHost gate gate.example.test\nControlPath none", args: []string{"web"}, socket: `web-web\.example\.test`, where: "anna@127.0.0.2:P"},
	{name: "canonicalization leaves addresses alone", names: true, config: "CanonicalizeHostname yes\nCanonicalDomains example.test\nUser anna\nControlPath $DIR/%h-%C", args: []string{"127.0.0.2"}, socket: `127\.0\.0\.2-[0-9a-f]{40}`, where: "anna@127.0.0.2:P"},
}

// For each configuration both masters are started for real, side by side in folders of their own: they must bind the same
// path, and what answers there must lead to the same user on the same host. Some configurations must make both fail.
func TestSameHostAndControlPath(t *testing.T) {
	t.Parallel()
	program(t, "ssh")
	hosts := startHosts(t)
	for _, c := range configCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var masters []*configured
			for _, kind := range kinds(t) {
				masters = append(masters, c.start(t, kind, hosts))
			}
			var seen []found
			for _, m := range masters {
				seen = append(seen, m.look(t))
				t.Logf("%s: %+v %s", m.kind, seen[len(seen)-1], m.words())
			}
			for i, s := range seen {
				require.Equal(t, seen[0], s, "%s and %s differ; %s says: %s", masters[0].kind, masters[i].kind, masters[i].kind, masters[i].words())
				c.verify(t, s, hosts)
			}
		})
	}
}

// verify compares with what the table pins, so that two masters that are wrong in the same way are found, too.
func (c configCase) verify(t *testing.T, s found, hosts *hosts) {
	t.Helper()
	if c.where == "" {
		require.Equal(t, found{code: 255}, s)
		return
	}
	where := strings.NewReplacer(":P", ":"+itoa(hosts.ports[0]), ":Q", ":"+itoa(hosts.ports[1])).Replace(c.where)
	require.Equal(t, where, s.where)
	require.Regexp(t, "^(?:"+c.socket+")$", s.socket)
}

// found is what a configuration led a master to.
type found struct {
	socket string // from the run's folder
	where  string
	code   int // of a master that failed
}

// configured is a master that runs with a case's configuration, in a folder of its own.
type configured struct {
	kind    Kind
	dir     string
	process *Process
}

func (c configCase) start(t *testing.T, kind Kind, hosts *hosts) *configured {
	t.Helper()
	m := &configured{kind: kind, dir: shortDir(t)}
	me, err := user.Current()
	require.NoError(t, err)
	fill := strings.NewReplacer("$DIR", m.dir, "$P", itoa(hosts.ports[0]), "$Q", itoa(hosts.ports[1]),
		"$ME", me.Username, "$UP", strings.Repeat("../", strings.Count(me.HomeDir, "/")))
	for name, content := range c.files {
		path := filepath.Join(m.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		write(t, path, 0o600, fill.Replace(content))
	}
	args := append(kind.program(t), "-M", "-N", "-F", write(t, filepath.Join(m.dir, "config"), 0o600, fill.Replace(c.config+hosts.defaults(t, m.dir))))
	for _, arg := range c.args {
		args = append(args, fill.Replace(arg))
	}
	if c.names {
		args = withHosts(t, m.dir, args)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = m.dir
	cmd.Env = environment()
	for _, variable := range c.env {
		cmd.Env = append(cmd.Env, fill.Replace(variable))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	log, err := os.Create(filepath.Join(m.dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	m.process = start(t, cmd)
	return m
}

// withHosts makes a command see hostsFile as /etc/hosts: in a mount namespace, so that nobody else does.
func withHosts(t *testing.T, dir string, args []string) []string {
	t.Helper()
	needNamespaces(t)
	names := write(t, filepath.Join(dir, "hosts"), 0o644, hostsFile)
	script := `mount --bind "$1" /etc/hosts && shift && exec "$@"`
	return append([]string{program(t, "unshare"), "-m", "sh", "-c", script, "sh", names}, args...)
}

// look waits until the master serves or has failed, and asks through its socket where that leads.
func (m *configured) look(t *testing.T) found {
	t.Helper()
	var socket string
	eventually(t, func() bool {
		socket = m.socket()
		return socket != "" || !m.process.Running()
	}, "the %s master neither serves nor fails: %s", m.kind, m.words())
	if socket == "" {
		return found{code: m.process.Wait(t)}
	}
	r := run(t, Command{Args: []string{"ssh", "-F", "none", "-o", "ControlMaster=no", "-S", strings.ReplaceAll(socket, "%", "%%"), "somebody@0.0.0.0", "where"}})
	require.Equal(t, 0, r.Code, "%s: %s%s", m.kind, r.Stderr, m.words())
	socket, err := filepath.Rel(m.dir, socket)
	require.NoError(t, err)
	return found{socket: socket, where: r.Stdout}
}

// unfinished is the name that a socket has before it is moved into place: stock's has sixteen random characters at its end,
// ssh-master's is hidden.
var unfinished = regexp.MustCompile(`\.[0-9A-Za-z]{16}$|/\.ssh-master-[0-9A-Z]+$`)

// socket is the path of the control socket in the master's folder; empty when nobody listens on one yet.
func (m *configured) socket() string {
	var socket string
	_ = filepath.WalkDir(m.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type()&os.ModeSocket != 0 && !unfinished.MatchString(path) {
			socket = path
		}
		return nil
	})
	if socket == "" {
		return ""
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return ""
	}
	return socket
}

func (m *configured) words() string {
	words, _ := os.ReadFile(filepath.Join(m.dir, "log"))
	return string(words)
}

// hosts are servers on three addresses and two ports of loopback. They let everybody in, say to a session who logged in
// where, and connect to each other for jumps.
type hosts struct {
	key     ssh.Signer
	ports   [2]int
	serving sync.WaitGroup
	mu      sync.Mutex
	open    map[io.Closer]bool // guarded by mu; nil when the test has ended
}

func startHosts(t *testing.T) *hosts {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	h := &hosts{open: map[io.Closer]bool{}}
	h.key, err = ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	t.Cleanup(h.close)
	for i := range h.ports {
		for _, l := range listenEverywhere(t) {
			h.ports[i] = l.Addr().(*net.TCPAddr).Port
			h.keep(l)
			h.serving.Go(func() { h.accept(l) })
		}
	}
	return h
}

// listenEverywhere listens on one port of all three addresses. One that is free on the first may be taken on the others.
func listenEverywhere(t *testing.T) []net.Listener {
	t.Helper()
	for range 20 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		all := []net.Listener{first}
		for _, address := range []string{"127.0.0.2", "127.0.0.3"} {
			l, err := net.Listen("tcp", net.JoinHostPort(address, itoa(first.Addr().(*net.TCPAddr).Port)))
			if err != nil {
				break
			}
			all = append(all, l)
		}
		if len(all) == 3 {
			return all
		}
		for _, l := range all {
			_ = l.Close()
		}
	}
	t.Skip("this system has no 127.0.0.2 to listen on")
	return nil
}

// defaults are the lines that follow each configuration.
func (h *hosts) defaults(t *testing.T, dir string) string {
	known := write(t, filepath.Join(dir, "known_hosts"), 0o600, "* "+string(ssh.MarshalAuthorizedKey(h.key.PublicKey())))
	return fmt.Sprintf("\nHost *\nPort %d\nUserKnownHostsFile %s\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n"+
		"IdentityFile none\nIdentityAgent none\nBatchMode yes\n", h.ports[0], known)
}

// keep has c closed at the end of the test.
func (h *hosts) keep(c io.Closer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		_ = c.Close()
		return
	}
	h.open[c] = true
}

func (h *hosts) close() {
	h.mu.Lock()
	for c := range h.open {
		_ = c.Close()
	}
	h.open = nil
	h.mu.Unlock()
	h.serving.Wait()
}

func (h *hosts) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		h.keep(conn)
		h.serving.Go(func() { h.login(conn) })
	}
}

func (h *hosts) login(conn net.Conn) {
	defer conn.Close()
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(h.key)
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	h.serving.Go(func() { ssh.DiscardRequests(requests) })
	where := server.User() + "@" + conn.LocalAddr().String()
	for asked := range channels {
		h.serving.Go(func() { h.channel(asked, where) })
	}
}

func (h *hosts) channel(asked ssh.NewChannel, where string) {
	var target struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	if asked.ChannelType() == "direct-tcpip" && ssh.Unmarshal(asked.ExtraData(), &target) == nil {
		h.jump(asked, net.JoinHostPort(target.Host, itoa(int(target.Port))))
		return
	}
	channel, requests, err := asked.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	for request := range requests {
		_ = request.Reply(true, nil)
		if request.Type == "exec" {
			_, _ = io.WriteString(channel, where)
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
			return
		}
	}
}

// resolvable gives hosts the names of hostsFile, as a jump host asks for them.
var resolvable = strings.NewReplacer("gate.example.test", "127.0.0.1", "web.example.test", "127.0.0.2", "db.example.test", "127.0.0.3")

func (h *hosts) jump(asked ssh.NewChannel, address string) {
	conn, err := net.Dial("tcp", resolvable.Replace(address))
	if err != nil {
		_ = asked.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer conn.Close()
	h.keep(conn)
	channel, requests, err := asked.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	h.serving.Go(func() { ssh.DiscardRequests(requests) })
	h.serving.Go(func() {
		_, _ = io.Copy(conn, channel)
		_ = conn.Close()
	})
	_, _ = io.Copy(channel, conn)
}
