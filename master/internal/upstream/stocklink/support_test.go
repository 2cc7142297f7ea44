package stocklink_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/stocklink"
)

// patience bounds waits for what must happen.
const patience = 20 * time.Second

// TestMain has the runtime's poller take its descriptors before a test counts
// them.
func TestMain(m *testing.M) {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
	os.Exit(m.Run())
}

// An sshd is the machine's own, one process for each connection.
type sshd struct {
	dir  string
	port int
	user string

	mu     sync.Mutex
	served []*exec.Cmd
}

// startSSHD serves until the test ends, with extra lines for sshd_config.
func startSSHD(t *testing.T, lines ...string) *sshd {
	t.Helper()
	program := sshtest.Program(t, "sshd")
	me, err := user.Current()
	require.NoError(t, err)
	if os.Geteuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // root's sshd wants it
	}
	s := &sshd{dir: t.TempDir(), user: me.Username}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port
	s.write(t, "authorized_keys", s.newKey(t, "id"))
	s.write(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", s.port, s.newKey(t, "host_key")))
	s.write(t, "sshd_config", strings.Join(append(append([]string{}, lines...),
		"HostKey "+filepath.Join(s.dir, "host_key"),
		"AuthorizedKeysFile "+filepath.Join(s.dir, "authorized_keys"),
		"UsePAM no", "StrictModes no", "PidFile none", "PasswordAuthentication no", "LogLevel VERBOSE",
		"KbdInteractiveAuthentication no", "PermitRootLogin yes", "PrintMotd no", "PrintLastLog no", "SetEnv HOME="+s.dir, // no start-up file of whoever runs this
	), "\n")+"\n")
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(program, nc.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.cut()
		serving.Wait()
	})
	return s
}

// serve runs one sshd on a connection.
func (s *sshd) serve(program string, nc *net.TCPConn) {
	socket, err := nc.File()
	_ = nc.Close()
	if err != nil {
		return
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	cmd := exec.Command(program, "-i", "-e", "-f", filepath.Join(s.dir, "sshd_config"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	_, _ = socket.Close(), log.Close()
	if err != nil {
		return
	}
	s.mu.Lock()
	s.served = append(s.served, cmd)
	s.mu.Unlock()
	_ = cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served = slices.DeleteFunc(s.served, func(c *exec.Cmd) bool { return c == cmd })
}

// cut kills every sshd, as if the host had gone. An ordinary user's has a child
// that holds the connection too, in the same process group.
func (s *sshd) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range s.served {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// newKey writes a key and returns its public line.
func (s *sshd) newKey(t *testing.T, name string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	s.write(t, name, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(key))
}

func (s *sshd) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600))
}

// host resolves the sshd's configuration as a user would have it.
func (s *sshd) host(t *testing.T, lines ...string) *hostconfig.Host {
	t.Helper()
	return resolve(t, s.dir, append(lines, "Host target", "HostName 127.0.0.1", fmt.Sprintf("Port %d", s.port), "User "+s.user,
		"IdentityFile "+filepath.Join(s.dir, "id"), "IdentitiesOnly yes", "IdentityAgent none",
		"UserKnownHostsFile "+filepath.Join(s.dir, "known_hosts"), "GlobalKnownHostsFile none",
		"StrictHostKeyChecking yes", "BatchMode yes"))
}

// resolve asks the installed ssh about "target".
func resolve(t *testing.T, dir string, lines []string, args ...string) *hostconfig.Host {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	h, err := hostconfig.Resolve(within(t), hostconfig.Query{
		SSH: sshtest.Program(t, "ssh"), Args: append(args, "-F", config), Destination: "target", Dir: dir, Env: environment(t), OwnFile: "none",
	})
	require.NoError(t, err)
	return h
}

// environment has a place of its own for sockets, short enough for them, in
// which nothing must be left.
func environment(t *testing.T) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + runtimeDir(t)}
}

var runtimeDirs sync.Map // test's name to folder

func runtimeDir(t *testing.T) string {
	if dir, ok := runtimeDirs.Load(t.Name()); ok {
		return dir.(string)
	}
	dir, err := os.MkdirTemp("/tmp", "stl")
	require.NoError(t, err)
	runtimeDirs.Store(t.Name(), dir)
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, os.Remove(dir))
	})
	return dir
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start makes a link, which the test's end closes.
func start(t *testing.T, o stocklink.Options) *stocklink.Link {
	t.Helper()
	o.Env = environment(t)
	l, err := stocklink.Start(within(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// soon polls until ok is true.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			require.FailNow(t, "never: "+what)
		}
	}
}

// A process id is alive as long as somebody has it.
func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// A screen is what somebody sees.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// log shows what is logged at Warn and above.
func (s *screen) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key != slog.MessageKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// ran is how a command at the host ended.
type ran struct {
	stdout, stderr string
	status         int
}

// run runs a command at the host.
func run(t *testing.T, l *stocklink.Link, command string, stdin io.Reader) ran {
	t.Helper()
	ch, reqs, err := l.OpenChannel(within(t), "session", nil)
	require.NoError(t, err)
	ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	require.NoError(t, err)
	require.True(t, ok)
	return finish(t, ch, reqs, stdin)
}

// finish feeds a session and reads it to its end.
func finish(t *testing.T, ch ssh.Channel, reqs <-chan *ssh.Request, stdin io.Reader) ran {
	t.Helper()
	status := make(chan int, 1)
	go func() {
		code := -1
		for req := range reqs {
			if req.Type == "exit-status" {
				code = int(req.Payload[3])
			}
			if req.WantReply {
				_ = req.Reply(false, nil)
			}
		}
		status <- code
	}()
	go func() {
		if stdin != nil {
			_, _ = io.Copy(ch, stdin)
		}
		_ = ch.CloseWrite()
	}()
	stderr := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(ch.Stderr())
		stderr <- text
	}()
	stdout, err := io.ReadAll(ch)
	require.NoError(t, err)
	r := ran{string(stdout), string(<-stderr), <-status}
	_ = ch.Close()
	return r
}

// noLeaks is sshtest's: goroutines and descriptors as before.
func noLeaks(t *testing.T) {
	t.Helper()
	sshtest.Program(t, "ssh")
	sshtest.NoLeaks(t)
}
