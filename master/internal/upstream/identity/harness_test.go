package identity_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
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

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/identity"
	"sshmaster/master/internal/upstream/prompt"
)

// patience bounds every wait of a test; none is expected to come near it.
const patience = 20 * time.Second

// keygen runs ssh-keygen in folder, with passphrases that are quick to try.
func keygen(t *testing.T, folder string, args ...string) {
	t.Helper()
	cmd := exec.Command(sshtest.Program(t, "ssh-keygen"), append([]string{"-q", "-a", "1"}, args...)...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "ssh-keygen %q: %s", args, out)
}

// newKey makes an Ed25519 key without a passphrase and returns its path.
func newKey(t *testing.T, folder, name string) string {
	t.Helper()
	keygen(t, folder, "-t", "ed25519", "-N", "", "-C", name, "-f", name)
	return filepath.Join(folder, name)
}

// rsaKey is made once, because it takes a while.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// newRSAKey writes the RSA key of all tests in the old format, with a
// passphrase or "" for none, and returns its path.
func newRSAKey(t *testing.T, folder, name, passphrase string) string {
	t.Helper()
	key, err := rsaKey()
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	path := filepath.Join(folder, name)
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	require.NoError(t, os.WriteFile(path, private, 0o600))
	require.NoError(t, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600))
	if passphrase != "" {
		keygen(t, folder, "-p", "-m", "PEM", "-P", "", "-N", passphrase, "-f", name)
	}
	return path
}

func readPublic(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	require.NoError(t, err)
	return u.Username
}

// A host is something to log in to.
type host func(t *testing.T) net.Conn

// newSSHD returns a host at which the real sshd answers, one process for each
// connection, that lets the public keys in.
func newSSHD(t *testing.T, options string, authorized ...string) host {
	command := sshdCommand(t, options, authorized...)
	return func(t *testing.T) net.Conn {
		syscall.ForkLock.RLock() // no other process inherits the pair
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err == nil {
			syscall.CloseOnExec(fds[0])
			syscall.CloseOnExec(fds[1])
		}
		syscall.ForkLock.RUnlock()
		require.NoError(t, err)
		near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
		conn, err := net.FileConn(near)
		require.NoError(t, err)
		near.Close()
		cmd := exec.Command(command[0], command[1:]...)
		var said bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, &said
		require.NoError(t, cmd.Start())
		far.Close()
		t.Cleanup(func() {
			conn.Close()
			cmd.Wait() // its status is of no interest
			if t.Failed() {
				t.Log(said.String())
			}
		})
		return conn
	}
}

// sshdCommand writes a configuration and returns the command line that serves
// one connection on standard input.
func sshdCommand(t *testing.T, options string, authorized ...string) []string {
	t.Helper()
	sshd := sshtest.Program(t, "sshd")
	if os.Getuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	folder := t.TempDir()
	newKey(t, folder, "host")
	var keys strings.Builder
	for _, path := range authorized {
		keys.WriteString(readPublic(t, path))
	}
	require.NoError(t, os.WriteFile(folder+"/authorized", []byte(keys.String()), 0o600))
	require.NoError(t, os.WriteFile(folder+"/config", []byte(options+`
HostKey `+folder+`/host
AuthorizedKeysFile `+folder+`/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
LogLevel VERBOSE
`), 0o600))
	return []string{sshd, "-i", "-e", "-f", folder + "/config"}
}

// newServer returns a host in this process that answers as config says.
func newServer(t *testing.T, config *ssh.ServerConfig) host {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	config.AddHostKey(signer)
	return func(t *testing.T) net.Conn {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		near, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		far, err := listener.Accept()
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			serve(far, config)
		}()
		t.Cleanup(func() {
			near.Close()
			<-ended
		})
		return near
	}
}

func serve(nc net.Conn, config *ssh.ServerConfig) {
	defer nc.Close()
	conn, channels, requests, err := ssh.NewServerConn(nc, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		channel.Reject(ssh.Prohibited, "")
	}
	conn.Wait()
}

// newConfig is a login that may do everything and asks nobody.
func newConfig(t *testing.T) (identity.Config, *record) {
	r := &record{t: t}
	return identity.Config{
		User:                         me(t),
		Host:                         "host.example",
		PubkeyAuthentication:         true,
		PasswordAuthentication:       true,
		KbdInteractiveAuthentication: true,
		NumberOfPasswordPrompts:      3,
		RequiredRSASize:              1024,
		Log:                          slog.New(r),
	}, r
}

func files(paths ...string) []identity.File {
	list := make([]identity.File, len(paths))
	for i, path := range paths {
		list[i].Path = path
	}
	return list
}

// login logs in and returns the method that did it.
func login(t *testing.T, h host, c identity.Config) (string, error) {
	t.Helper()
	return loginContext(t, t.Context(), h, c)
}

func loginContext(t *testing.T, ctx context.Context, h host, c identity.Config, prepare ...func(*identity.Auth)) (string, error) {
	t.Helper()
	a, err := identity.New(c)
	require.NoError(t, err)
	defer a.Close()
	for _, f := range prepare {
		f(a)
	}
	ctx, nc := identity.Watch(ctx, h(t))
	defer nc.Close()
	conn, channels, requests, err := ssh.NewClientConn(nc, c.Host, &ssh.ClientConfig{
		User:            c.User,
		AuthCallback:    a.AuthCallback(ctx),
		BannerCallback:  a.Banner,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		return "", a.Explain(err)
	}
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	go func() {
		for channel := range channels {
			channel.Reject(ssh.Prohibited, "")
		}
	}()
	return a.Method(), nil
}

// A person answers questions from a script and remembers them.
type person struct {
	answers []string
	err     error // when there are no more answers; nil is ErrCancelled

	asked []string
	said  []string
}

func (p *person) Prompt(ctx context.Context, q prompt.Question) (string, error) {
	text := q.Text
	if q.Echo {
		text += "[echo]"
	}
	if q.Confirm {
		text += "[confirm]"
	}
	p.asked = append(p.asked, text)
	switch {
	case len(p.answers) > 0:
		answer := p.answers[0]
		p.answers = p.answers[1:]
		return answer, nil
	case p.err != nil:
		return "", p.err
	}
	return "", prompt.ErrCancelled
}

func (p *person) Notify(_ context.Context, text string) func() {
	p.said = append(p.said, text)
	return func() {}
}

// A record is a log handler that keeps the messages.
type record struct {
	t     *testing.T
	mu    sync.Mutex
	lines []string
}

func (r *record) Enabled(context.Context, slog.Level) bool { return true }
func (r *record) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *record) WithGroup(string) slog.Handler            { return r }
func (r *record) Handle(_ context.Context, one slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf("%s %s", one.Level, one.Message))
	return nil
}

// story returns the lines that begin with one of these words, without their
// level.
func (r *record) story(words ...string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return story(r.lines, func(line string) string {
		_, line, _ = strings.Cut(line, " ")
		return line
	}, words...)
}

func (r *record) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func story(lines []string, clean func(string) string, words ...string) []string {
	told := []string{}
	for _, line := range lines {
		line = clean(line)
		if slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(line, word) }) {
			told = append(told, line)
		}
	}
	return told
}

// startAgent runs an ssh-agent and returns its socket.
func startAgent(t *testing.T, options ...string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "agent") // a socket's path must be short
	require.NoError(t, err)
	socket := filepath.Join(folder, "s")
	cmd := exec.Command(sshtest.Program(t, "ssh-agent"), append([]string{"-D", "-a", socket}, options...)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(folder)
	})
	require.Eventually(t, func() bool {
		nc, err := net.Dial("unix", socket)
		if err == nil {
			nc.Close()
		}
		return err == nil
	}, patience, time.Millisecond)
	return socket
}

// sshAdd runs ssh-add with an agent and returns its output.
func sshAdd(t *testing.T, socket string, args ...string) string {
	t.Helper()
	cmd := exec.Command(sshtest.Program(t, "ssh-add"), args...)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket, "SSH_ASKPASS_REQUIRE=never")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "ssh-add %q: %s", args, out)
	return string(out)
}
