package compat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each transfer runs beside the others on one master.
func TestTransfer(t *testing.T) {
	behaviours := map[string]func(t *testing.T, m *Master){
		"scp":            func(t *testing.T, m *Master) { scp(t, m) },
		"scp -O":         func(t *testing.T, m *Master) { scp(t, m, "-O") },
		"scp -r":         scpTree,
		"scp of nothing": scpFails,
		"sftp -b":        sftpBatch,
		"sftp fails":     sftpFails,
		"rsync":          rsync,
		"git":            git,
		"ssh -W":         stdioForward,
		"ssh -W refused": stdioForwardRefused,
		"ssh -W far end": stdioForwardFarEnd,
		"tar pipe":       tarPipe,
	}
	forEachMaster(t, Setup{Server: []string{"MaxSessions 40"}, Plain: true}, func(t *testing.T, m *Master) {
		for name, behaviour := range behaviours {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				behaviour(t, m)
			})
		}
	})
}

// bigFile is more than every window, pipe and socket buffer on the way hold together.
func bigFile(t testing.TB, dir string) string {
	t.Helper()
	content, err := io.ReadAll(newNoise(16 << 20))
	require.NoError(t, err)
	return write(t, filepath.Join(dir, "big"), 0o640, string(content))
}

func requireSame(t testing.TB, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	require.NoError(t, err)
	b, err := os.ReadFile(got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(a, b), "%s and %s differ", want, got)
}

func ok(t testing.TB, c Command) Result {
	t.Helper()
	r := run(t, c)
	require.Equal(t, 0, r.Code, "%s\n%s%s", strings.Join(c.Args, " "), r.Stdout, r.Stderr)
	return r
}

func scp(t *testing.T, m *Master, options ...string) {
	dir := t.TempDir()
	big := bigFile(t, dir)
	up, down := filepath.Join(dir, "up"), filepath.Join(dir, "down")
	base := append([]string{"scp", "-q", "-p", "-F", m.Server.Config}, options...)
	require.Empty(t, ok(t, Command{Args: append(base, big, Target+":"+up)}).Stderr)
	require.Empty(t, ok(t, Command{Args: append(base, Target+":"+up, down)}).Stderr)
	requireSame(t, big, up)
	requireSame(t, big, down)
	info, err := os.Stat(down)
	require.NoError(t, err)
	require.EqualValues(t, 0o640, info.Mode())
}

func tree(t testing.TB, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "tree")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a b", "c"), 0o755))
	for i := range 20 {
		write(t, filepath.Join(root, "a b", strconv.Itoa(i)), 0o644, strings.Repeat("x", i*1000))
	}
	write(t, filepath.Join(root, "a b", "c", "ü\xff"), 0o600, "odd name")
	return root
}

func scpTree(t *testing.T, m *Master) {
	dir := t.TempDir()
	root := tree(t, dir)
	ok(t, Command{Args: []string{"scp", "-q", "-r", "-F", m.Server.Config, root, Target + ":" + filepath.Join(dir, "copy")}})
	ok(t, Command{Args: []string{"diff", "-r", root, filepath.Join(dir, "copy")}})
}

func scpFails(t *testing.T, m *Master) {
	for _, protocol := range [][]string{nil, {"-O"}} {
		args := append(append([]string{"scp", "-F", m.Server.Config}, protocol...), Target+":/no/such/file", t.TempDir())
		r := run(t, Command{Args: args})
		require.Equal(t, 1, r.Code)
		require.Contains(t, r.Stderr, "No such file or directory")
	}
}

func sftpBatch(t *testing.T, m *Master) {
	dir := t.TempDir()
	big := bigFile(t, dir)
	batch := write(t, filepath.Join(dir, "batch"), 0o600, "cd "+dir+"\nput "+big+" up\nget up "+dir+"/down\nls -1\nrm up\n")
	r := ok(t, Command{Args: []string{"sftp", "-F", m.Server.Config, "-b", batch, Target}})
	require.Contains(t, r.Stdout, "\nbatch\nbig\ndown\nup\n")
	requireSame(t, big, filepath.Join(dir, "down"))
	require.False(t, exists(filepath.Join(dir, "up")))
}

func sftpFails(t *testing.T, m *Master) {
	r := run(t, Command{Args: []string{"sftp", "-F", m.Server.Config, "-b", "-", Target}, Stdin: strings.NewReader("get /no/such/file\n")})
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Stderr, "not found")
}

func rsync(t *testing.T, m *Master) {
	program(t, "rsync")
	dir := t.TempDir()
	root, far, back := tree(t, dir)+"/", filepath.Join(dir, "far")+"/", filepath.Join(dir, "back")+"/"
	bigFile(t, root)
	base := []string{"rsync", "-az", "--timeout=20", "-e", "ssh -F " + m.Server.Config}
	ok(t, Command{Args: append(base, root, Target+":"+far)})
	ok(t, Command{Args: append(base, Target+":"+far, back)})
	ok(t, Command{Args: append(base, "--delete", Target+":"+far, back)})
	ok(t, Command{Args: []string{"diff", "-r", root, back}})
}

func git(t *testing.T, m *Master) {
	program(t, "git")
	dir := t.TempDir()
	env := []string{
		"GIT_SSH_COMMAND=ssh -F " + m.Server.Config + " -S " + m.Control, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
	}
	command := func(in string, args ...string) {
		t.Helper()
		ok(t, Command{Args: append([]string{"git", "-C", in}, args...), Env: env})
	}
	bare, work, clone := filepath.Join(dir, "bare"), filepath.Join(dir, "work"), filepath.Join(dir, "clone")
	command(dir, "init", "-q", "--bare", bare)
	command(dir, "clone", "-q", Target+":"+bare, work)
	bigFile(t, work)
	command(work, "add", "big")
	command(work, "commit", "-q", "-m", "big")
	command(work, "push", "-q", "origin", "HEAD:refs/heads/main")
	command(dir, "clone", "-q", "-b", "main", "ssh://"+Target+bare, clone)
	requireSame(t, filepath.Join(work, "big"), filepath.Join(clone, "big"))
}

func tarPipe(t *testing.T, m *Master) {
	dir := t.TempDir()
	root, far := tree(t, dir), filepath.Join(dir, "far")
	ssh := strings.Join(m.SSH(Target), " ")
	ok(t, Command{Args: []string{"sh", "-c", "tar cf - -C " + root + " . | " + ssh + " 'mkdir " + far + " && tar xf - -C " + far + "'"}})
	ok(t, Command{Args: []string{"diff", "-r", root, far}})
}

// echoServer answers each connection with what it gets, after a greeting, until the caller half-closes.
func echoServer(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveEcho(t, listener)
	return listener.Addr().String()
}

func serveEcho(t testing.TB, listener net.Listener) {
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "welcome\n")
				_, _ = io.Copy(conn, conn)
				_, _ = io.WriteString(conn, "bye\n")
			}()
		}
	}()
}

func stdioForward(t *testing.T, m *Master) {
	sent := strings.Repeat("through the master\n", 50_000)
	r := run(t, Command{Args: m.SSH("-W", echoServer(t), Target), Stdin: strings.NewReader(sent)})
	require.Equal(t, 0, r.Code, r.Stderr)
	require.True(t, r.Stdout == "welcome\n"+sent+"bye\n", "got %d bytes", len(r.Stdout))
	require.Empty(t, r.Stderr)
}

// portApart is a port that is never given twice. It is below those that the system gives to whoever asks for any, who
// might get it while nobody listens there for a moment.
func portApart() int {
	for {
		port := 10000 + rand.IntN(20000)
		if _, again := portsApart.LoadOrStore(port, true); !again {
			return port
		}
	}
}

// portsApart are those that portApart has given away.
var portsApart sync.Map

// listenApart listens on loopback at a port of portApart's.
func listenApart(t testing.TB) net.Listener {
	t.Helper()
	for {
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", portApart())); err == nil {
			return listener
		}
	}
}

// closedPort is where nobody listens, another one each time. It is not tried by listening there: a program that is just
// being started would have the listener, too, and keep it for a moment.
func closedPort(t testing.TB) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", portApart())
		conn, err := net.Dial("tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return address
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func stdioForwardRefused(t *testing.T, m *Master) {
	r := run(t, Command{Args: m.SSH("-W", closedPort(t), Target), Stdin: strings.NewReader("x")})
	require.Equal(t, 255, r.Code)
	require.Empty(t, r.Stdout)
	require.Contains(t, r.Stderr, "Stdio forwarding request failed: Session open refused by peer")
}

// stdioForwardFarEnd: the far side's end ends it although stdin stays open.
func stdioForwardFarEnd(t *testing.T, m *Master) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.WriteString(conn, "only this")
			_ = conn.Close()
		}
	}()
	stdin, held, err := os.Pipe()
	require.NoError(t, err)
	defer held.Close()
	defer stdin.Close()
	r := run(t, Command{Args: m.SSH("-W", listener.Addr().String(), Target), Stdin: stdin})
	require.Equal(t, Result{Stdout: "only this"}, r)
}

// TestJump reaches a second host through the master on the first.
func TestJump(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		far := startServer(t, shortDir(t))
		config := write(t, filepath.Join(m.Dir, "jump"), 0o600, jumpConfig(far, m))
		for name, option := range map[string]string{
			"ProxyJump":    "ProxyJump=" + Target,
			"ProxyCommand": "ProxyCommand=ssh -F " + config + " -S " + m.Control + " -W %h:%p " + Target,
		} {
			r := run(t, Command{Args: []string{"ssh", "-F", config, "-o", option, "far", "cat; exit 3"}, Stdin: strings.NewReader("arrived\n")})
			require.Equal(t, Result{Stdout: "arrived\n", Code: 3}, r, name)
		}
	})
}

// jumpConfig knows both hosts: `ssh -J` hands the same file to the ssh that it starts for the jump.
func jumpConfig(far *Server, m *Master) string {
	block := func(name string, s *Server, control string) string {
		return strings.Join([]string{
			"Host " + name, "HostName 127.0.0.1", "Port " + strconv.Itoa(s.Port), "User " + s.User,
			"IdentityFile " + filepath.Join(s.Dir, "id"), "UserKnownHostsFile " + filepath.Join(s.Dir, "known_hosts"),
			"ControlPath " + control,
		}, "\n") + "\n"
	}
	return block("far", far, "none") + block(Target, m.Server, m.Control) +
		"Host *\nIdentitiesOnly yes\nIdentityAgent none\nGlobalKnownHostsFile /dev/null\nBatchMode yes\nControlMaster no\n"
}
