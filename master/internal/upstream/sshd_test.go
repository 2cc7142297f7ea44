package upstream_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
)

// An sshd is the machine's own, one process for each connection.
type sshd struct {
	dir  string
	addr *net.TCPAddr
	user string
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
	s.write(t, "authorized_keys", s.newKey(t, "id"))
	host := s.newKey(t, "host_key")
	s.write(t, "sshd_config", strings.Join(append([]string{
		"HostKey " + filepath.Join(s.dir, "host_key"),
		"AuthorizedKeysFile " + filepath.Join(s.dir, "authorized_keys"),
		"UsePAM no", "StrictModes no", "PidFile none", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "PermitRootLogin yes", "PrintMotd no", "PrintLastLog no",
	}, lines...), "\n")+"\n")
	addr := listener(t, func(nc net.Conn) { s.serve(t, program, nc.(*net.TCPConn)) })
	s.addr, err = net.ResolveTCPAddr("tcp", addr)
	require.NoError(t, err)
	s.write(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", s.addr.Port, host))
	return s
}

// serve runs one sshd on a connection until it ends by itself or with the test.
func (s *sshd) serve(t *testing.T, program string, nc *net.TCPConn) {
	socket, err := nc.File()
	if err != nil {
		return
	}
	_ = nc.Close()
	defer func() { _ = socket.Close() }()
	cmd := exec.CommandContext(t.Context(), program, "-i", "-f", filepath.Join(s.dir, "sshd_config"))
	cmd.Stdin, cmd.Stdout = socket, socket
	_ = cmd.Run()
}

// newKey writes a key and returns its public line.
func (s *sshd) newKey(t *testing.T, name string) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return s.writeKey(t, name, private)
}

// writeKey writes a private key and returns its public line.
func (s *sshd) writeKey(t *testing.T, name string, private crypto.Signer) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	s.write(t, name, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(key.PublicKey()))
}

func (s *sshd) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600))
}

// host resolves the sshd's configuration as a user would have it.
func (s *sshd) host(t *testing.T, lines ...string) *hostconfig.Host {
	t.Helper()
	s.write(t, "config", strings.Join(append([]string{
		"Host target", "HostName 127.0.0.1", fmt.Sprintf("Port %d", s.addr.Port), "User " + s.user,
		"IdentityFile " + filepath.Join(s.dir, "id"), "IdentitiesOnly yes", "IdentityAgent none",
		"UserKnownHostsFile " + filepath.Join(s.dir, "known_hosts"), "GlobalKnownHostsFile none",
		"StrictHostKeyChecking yes", "BatchMode yes",
	}, lines...), "\n")+"\n")
	h, err := hostconfig.Resolve(within(t), hostconfig.Query{
		Args: []string{"-F", filepath.Join(s.dir, "config")}, Destination: "target", Dir: s.dir, Env: os.Environ(),
	})
	require.NoError(t, err)
	return h
}

func TestStockSSHD(t *testing.T) {
	s := startSSHD(t)
	sshtest.NoLeaks(t)
	l := dial(t, upstream.Options{Host: s.host(t), Env: os.Environ()})
	ch, reqs, err := l.OpenChannel(within(t), "session", nil)
	require.NoError(t, err)
	go ssh.DiscardRequests(reqs)
	ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"cat"}))
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, roundTrip(ch, []byte("stock")))
	_, err = l.Ping(within(t))
	require.NoError(t, err)
	require.Contains(t, l.Info().ServerVersion, "SSH-2.0-OpenSSH")
	require.False(t, l.Unsafe())
}

func TestStockSSHDRekeysUnderLoad(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "RekeyLimit 512K")
	l := dial(t, upstream.Options{Host: s.host(t), Env: os.Environ()})
	results := make(chan error, 4)
	for range cap(results) {
		ch := session(t, l)
		_, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"cat"}))
		require.NoError(t, err)
		data := make([]byte, 4<<20)
		_, _ = rand.Read(data)
		go func() { results <- roundTrip(ch, data) }()
	}
	for range cap(results) {
		require.NoError(t, <-results)
	}
}

func TestStockSSHDRefuses(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	host := s.host(t)
	s.newKey(t, "id") // the authorized key is gone
	err := failing(t, within(t), upstream.Options{Host: host, Env: os.Environ()})
	require.Equal(t, upstream.Authenticated, err.Stage)
	require.Contains(t, err.Error(), s.user+"@127.0.0.1: Permission denied (publickey)")

	s.write(t, "known_hosts", "")
	err = failing(t, within(t), upstream.Options{Host: host, Env: os.Environ()})
	require.Equal(t, upstream.Verified, err.Stage)
	require.Regexp(t, "^Host key verification failed", err.Error())
}

func TestStockJumpHost(t *testing.T) {
	t.Parallel()
	sshtest.Program(t, "ssh")
	bastion, inner := startSSHD(t), startSSHD(t)
	host := inner.host(t, "ProxyJump bastion", "Host bastion", "HostName 127.0.0.1", fmt.Sprintf("Port %d", bastion.addr.Port),
		"User "+bastion.user, "IdentityFile "+filepath.Join(bastion.dir, "id"), "IdentityAgent none",
		"UserKnownHostsFile "+filepath.Join(bastion.dir, "known_hosts"), "GlobalKnownHostsFile none")
	l := dial(t, upstream.Options{Host: host, Env: os.Environ()})
	require.True(t, l.Info().Proxied)
	_, err := l.Ping(within(t))
	require.NoError(t, err)
}

func TestStockHostKeysAreLearned(t *testing.T) {
	t.Parallel()
	more := t.TempDir()
	s := startSSHD(t, "HostKey "+filepath.Join(more, "key"))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	second := (&sshd{dir: more}).writeKey(t, "key", private)
	dial(t, upstream.Options{Host: s.host(t, "UpdateHostKeys yes"), Env: os.Environ()})
	soon(t, "the other key is known", func() bool {
		known, err := os.ReadFile(filepath.Join(s.dir, "known_hosts"))
		return err == nil && strings.Contains(string(known), strings.TrimSpace(second))
	})
}

func TestStockHostKeyChanged(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	s.write(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", s.addr.Port, s.newKey(t, "another")))
	host := s.host(t)
	shown := &screen{}
	err := failing(t, within(t), upstream.Options{Host: host, Env: os.Environ(), Stderr: shown})
	require.Equal(t, upstream.Verified, err.Stage)
	require.NotEmpty(t, shown.String())

	host.StrictHostKeyChecking = "no"
	require.True(t, dial(t, upstream.Options{Host: host, Env: os.Environ()}).Unsafe())
}

func TestStockKnownHostsCommand(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	host := s.host(t, "KnownHostsCommand /bin/cat "+filepath.Join(s.dir, "%n_hosts"))
	host.UserKnownHostsFile = nil
	known, err := os.ReadFile(filepath.Join(s.dir, "known_hosts"))
	require.NoError(t, err)
	s.write(t, "target_hosts", string(known))
	dial(t, upstream.Options{Host: host, Env: os.Environ()})
}
