package compat

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// A failure is a way not to get to a host.
type failure struct {
	server  []string // lines for sshd_config
	prepare func(t *testing.T, m *Master) []string
	inside  func(t *testing.T) []string // what the master's command line is put behind
	says    string                      // regular expression for our one line; HOST, PORT and DIR stand for the server's
	notice  bool                        // a warning of several lines stands before it, as ssh has it
}

// Each failure ends with 255 and one line that names the host, the cause and the remedy, in the foreground and with -f,
// and leaves nothing: no socket, no process. Stock fails with 255 as well; what it says is not compared.
func TestFailuresSayWhatToDo(t *testing.T) {
	for name, f := range map[string]failure{
		"unreachable": {prepare: options("-o", "HostName=192.0.2.1"), inside: noNetwork,
			says: `ssh: connect to host 192\.0\.2\.1 port PORT: Network is unreachable \(check the network\)`},
		"refused port": {prepare: func(t *testing.T, _ *Master) []string { return []string{"-p", portOf(t, closedPort(t))} },
			says: `ssh: connect to host HOST port \d+: Connection refused \(nothing listens there: check HostName and Port, or start sshd\)`},
		"no such name": {prepare: options("-o", "HostName=no..such"), inside: noNetwork,
			says: `ssh: Could not resolve hostname no\.\.such: Name or service not known \(check the spelling, or HostName in ssh_config\)`},
		"no name server": {prepare: options("-o", "HostName=web.invalid"), inside: noNetwork,
			says: `ssh: Could not resolve hostname web\.invalid: Temporary failure in name resolution \(.+\)`},
		"no greeting": {prepare: func(t *testing.T, _ *Master) []string {
			return []string{"-p", portOf(t, neverGreets(t)), "-o", "ConnectTimeout=1"}
		}, says: `ssh: connect to host HOST port \d+: Connection timed out during banner exchange \(ConnectTimeout 1s\)`},
		"no SSH server": {prepare: func(t *testing.T, _ *Master) []string {
			return []string{"-p", portOf(t, answering(t, "HTTP/1.1 400\r\n\r\n"))}
		},
			says: `.*HOST.*port \d+.*SSH server.*`},
		"hangs up": {prepare: func(t *testing.T, _ *Master) []string { return []string{"-p", portOf(t, answering(t, ""))} },
			says: `Connection (closed|reset) by HOST port \d+ before its greeting \(is it an SSH server\? does it take more connections\?\)`},
		"proxy fails": {prepare: options("-o", "ProxyCommand=sh -c 'echo no way in >&2; exit 3'"),
			says: `ssh: connect to host HOST port PORT: ProxyCommand ended with exit status 3: no way in`, notice: true},
		"no common algorithm": {server: []string{"Ciphers aes128-ctr"}, prepare: options("-c", "aes256-ctr"),
			says: `Unable to negotiate with HOST port PORT: no matching cipher found\. Their offer: aes128-ctr; ours: aes256-ctr \(.*Ciphers.*\)`},

		"wrong host key": {prepare: otherHostKey, notice: true,
			says: `Host key verification failed: .*changed.*DIR/known_hosts:1 \(host \[HOST\]:PORT, .*; .*ssh-keygen -f .*DIR/known_hosts.* -R .*HOST.*`},
		"unknown host key": {prepare: noHostKey,
			says: `Host key verification failed: no ED25519 key is known for the host and StrictHostKeyChecking is yes \(host \[HOST\]:PORT, .*; .*DIR/known_hosts or connect once with -o StrictHostKeyChecking=ask`},

		"no usable key": {prepare: otherKey,
			says: `USER@HOST: Permission denied \(publickey\): the host does not accept the key offered; add its public half to authorized_keys there \(ssh-copy-id\)`},
		"no key": {prepare: identity("IdentityFile none"),
			says: `USER@HOST: Permission denied \(publickey\): there is no key to offer; name one with IdentityFile, or load it into ssh-agent \(ssh-add\)`},
		"key file missing": {prepare: identity("IdentityFile /nonexistent/key"),
			says: `USER@HOST: Permission denied \(publickey\): .*/nonexistent/key.*; .+`},
		"expired certificate": {server: []string{"TrustedUserCAKeys $DIR/ca.pub", "AuthorizedKeysFile none"}, prepare: expiredCertificate,
			says: `USER@HOST: Permission denied \(publickey\): certificate DIR/id-cert\.pub expired at 2001-09-09 01:46:40 UTC; have it issued anew`},
		"agent that refuses": {prepare: refusingAgent,
			says: `USER@HOST: Permission denied \(publickey\): the agent refused to sign with .*my key.*; unlock it \(ssh-add -X\) or confirm its question.*`},
		"agent that is gone": {prepare: identity("IdentityFile none", "IdentitiesOnly no", "IdentityAgent /nonexistent/agent"),
			says: `USER@HOST: Permission denied \(publickey\): .*/nonexistent/agent.*; .+`},
		"encrypted key and nobody there": {prepare: lockedKey,
			says: `USER@HOST: Permission denied \(publickey\): key DIR/id is encrypted and nobody can be asked for its passphrase; load it into ssh-agent \(ssh-add DIR/id\)`},
		"too many keys": {server: []string{"MaxAuthTries 2"}, prepare: manyKeys,
			says: `USER@HOST: Permission denied \(.*\): too many authentication failures .*MaxAuthTries.*; set IdentitiesOnly yes and IdentityFile to the one right key`},
	} {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
				m.Server.reconfigure(t, f.server)
				args := f.prepare(t, m)
				before := names(t, m.Dir)
				for _, background := range [][]string{nil, {"-f"}} {
					line := m.Command(append(append([]string{"-M", "-N"}, background...), append(args, Target)...)...)
					if f.inside != nil {
						line = append(f.inside(t), line...)
					}
					r := run(t, Command{Args: line, Dir: m.Dir})
					t.Log(r.Stderr)
					require.Equal(t, 255, r.Code, r.Stderr)
					require.Empty(t, r.Stdout)
					m.leftNothing(t, before)
					if m.Kind == Ours {
						f.told(t, m, r.Stderr)
					}
				}
			})
		})
	}
}

// told verifies the line.
func (f failure) told(t *testing.T, m *Master, stderr string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(stderr, "\r", "")), "\n")
	if !f.notice {
		require.Len(t, lines, 1, stderr)
	}
	pattern := strings.NewReplacer("HOST", `127\.0\.0\.1`, "PORT", itoa(m.Server.Port), "DIR", m.Dir, "USER", m.Server.User).Replace(f.says)
	require.Regexp(t, "^(?:ssh-master: )?(?:"+pattern+")$", lines[len(lines)-1])
}

// leftNothing waits for the processes of a master that failed to be gone, and finds its folder as it was.
func (m *Master) leftNothing(t *testing.T, before []string) {
	t.Helper()
	eventually(t, func() bool { return len(mentioning(m.Server.Config)) == 0 }, "left behind: %v", mentioning(m.Server.Config))
	require.Equal(t, before, names(t, m.Dir))
}

// mentioning is the pids of the processes with that argument.
func mentioning(argument string) []int {
	var pids []int
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		line, err := os.ReadFile(path)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && strings.Contains(string(line), "\x00"+argument+"\x00") && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// names is what is in a folder, without what the server writes.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		if e.Name() != "sshd.log" {
			all = append(all, e.Name())
		}
	}
	return all
}

// reconfigure puts lines before the server's own; every connection reads them anew.
func (s *Server) reconfigure(t *testing.T, lines []string) {
	t.Helper()
	path := filepath.Join(s.Dir, "sshd_config")
	text := strings.ReplaceAll(strings.Join(append(lines, ""), "\n"), "$DIR", s.Dir)
	write(t, path, 0o600, text+read(t, path))
}

func options(args ...string) func(*testing.T, *Master) []string {
	return func(*testing.T, *Master) []string { return args }
}

// identity replaces the lines of the client configuration that say which key is used.
func identity(lines ...string) func(*testing.T, *Master) []string {
	return func(t *testing.T, m *Master) []string {
		var kept []string
		for line := range strings.Lines(read(t, m.Server.Config)) {
			if !strings.HasPrefix(line, "Identit") {
				kept = append(kept, line)
			}
		}
		if !strings.Contains(strings.Join(lines, "\n"), "IdentitiesOnly") {
			lines = append(lines, "IdentitiesOnly yes")
		}
		if !strings.Contains(strings.Join(lines, "\n"), "IdentityAgent") {
			lines = append(lines, "IdentityAgent none")
		}
		write(t, m.Server.Config, 0o600, strings.Join(kept, "")+strings.Join(lines, "\n")+"\n")
		return nil
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

// noNetwork makes a program see no network at all, not even loopback.
func noNetwork(t *testing.T) []string {
	line := []string{program(t, "unshare"), "-n"}
	if os.Geteuid() != 0 {
		line = append(line, "-r")
	}
	if r, err := (Command{Args: append(line, "true")}).run(); err != nil || r.Code != 0 {
		t.Skip("this user can make no network namespace: ", err)
	}
	return line
}

// neverGreets is a server that accepts and says nothing.
func neverGreets(t *testing.T) string {
	return serveConnections(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

// answering is a server that says one thing and hangs up.
func answering(t *testing.T, text string) string {
	return serveConnections(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { _, _ = conn.Write([]byte(text)) })
}

// serveConnections listens for as long as the test runs, hands each connection to a goroutine, and returns the address.
func serveConnections(t *testing.T, network, address string, each func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				each(conn)
			})
		}
	})
	return listener.Addr().String()
}

func otherHostKey(t *testing.T, m *Master) []string {
	key := writeKey(t, filepath.Join(m.Dir, "other"))
	write(t, filepath.Join(m.Dir, "known_hosts"), 0o600, fmt.Sprintf("[127.0.0.1]:%d %s", m.Server.Port, key))
	return nil
}

func noHostKey(t *testing.T, m *Master) []string {
	write(t, filepath.Join(m.Dir, "known_hosts"), 0o600, "")
	return nil
}

func otherKey(t *testing.T, m *Master) []string {
	writeKey(t, filepath.Join(m.Dir, "id"))
	return nil
}

func manyKeys(t *testing.T, m *Master) []string {
	var lines []string
	for i := range 4 {
		path := filepath.Join(m.Dir, fmt.Sprint("id", i))
		writeKey(t, path)
		lines = append(lines, "IdentityFile "+path)
	}
	return identity(lines...)(t, m)
}

// certificate signs the key of the client configuration with an authority of its own.
func expiredCertificate(t *testing.T, m *Master) []string {
	login, err := ssh.ParsePrivateKey([]byte(read(t, filepath.Join(m.Dir, "id"))))
	require.NoError(t, err)
	write(t, filepath.Join(m.Dir, "ca.pub"), 0o600, writeKey(t, filepath.Join(m.Dir, "ca")))
	authority, err := ssh.ParsePrivateKey([]byte(read(t, filepath.Join(m.Dir, "ca"))))
	require.NoError(t, err)
	cert := &ssh.Certificate{
		Key: login.PublicKey(), CertType: ssh.UserCert, KeyId: "me",
		ValidPrincipals: []string{m.Server.User}, ValidAfter: 900000000, ValidBefore: 1000000000,
	}
	require.NoError(t, cert.SignCert(strings.NewReader(strings.Repeat("x", 1024)), authority))
	write(t, filepath.Join(m.Dir, "id-cert.pub"), 0o600, string(ssh.MarshalAuthorizedKey(cert)))
	return nil
}

// encrypt encrypts the key that the server accepts.
func encrypt(t *testing.T, m *Master, passphrase string) {
	t.Helper()
	path := filepath.Join(m.Dir, "id")
	private, err := ssh.ParseRawPrivateKey([]byte(read(t, path)))
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(*private.(*ed25519.PrivateKey), "", []byte(passphrase))
	require.NoError(t, err)
	write(t, path, 0o600, string(pem.EncodeToMemory(block)))
}

func lockedKey(t *testing.T, m *Master) []string {
	encrypt(t, m, "open sesame")
	return nil
}

// refusing is an agent that shows its keys and signs nothing.
type refusing struct{ agent.ExtendedAgent }

func (refusing) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) { return nil, errors.New("no") }

func (refusing) SignWithFlags(ssh.PublicKey, []byte, agent.SignatureFlags) (*ssh.Signature, error) {
	return nil, errors.New("no")
}

// refusingAgent is one that holds the only key.
func refusingAgent(t *testing.T, m *Master) []string {
	path := filepath.Join(m.Dir, "id")
	private, err := ssh.ParseRawPrivateKey([]byte(read(t, path)))
	require.NoError(t, err)
	keys := agent.NewKeyring().(agent.ExtendedAgent)
	require.NoError(t, keys.Add(agent.AddedKey{PrivateKey: private, Comment: "my key"}))
	require.NoError(t, os.Remove(path))
	socket := filepath.Join(m.Dir, "agent")
	serveConnections(t, "unix", socket, func(conn net.Conn) { _ = agent.ServeAgent(refusing{keys}, conn) })
	return identity("IdentitiesOnly no", "IdentityFile none", "IdentityAgent "+socket)(t, m)
}

// Three wrong answers to the question for the passphrase, at a terminal, which is afterwards as it was.
func TestWrongPassphraseThreeTimes(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true, Client: []string{"NumberOfPasswordPrompts 3"}}, func(t *testing.T, m *Master) {
		encrypt(t, m, "open sesame")
		before := names(t, m.Dir)
		for _, background := range [][]string{nil, {"-f"}} {
			term := newTerminal(t)
			state := term.State(t)
			p := term.Start(t, nil, m.Command(append(append([]string{"-M", "-N", "-o", "BatchMode=no"}, background...), Target)...)...)
			for range 3 {
				term.Expect(t, "Enter passphrase for key '"+filepath.Join(m.Dir, "id")+"': ")
				eventually(t, func() bool { return strings.Contains(term.State(t).Modes, "-echo ") }, "the answer would be shown")
				term.Type(t, "wrong\n")
			}
			shown := term.Expect(t, "Permission denied (publickey)")
			require.NotContains(t, shown, "wrong\r\n", "the answer was shown")
			if m.Kind == Ours {
				shown = term.Expect(t, "\n")
				require.Equal(t, ": wrong passphrase for key DIR/id, 3 times; try again, or load the key into ssh-agent (ssh-add DIR/id)\n",
					strings.NewReplacer(m.Dir, "DIR", "\r", "").Replace(shown))
			}
			require.Equal(t, 255, p.Wait(t))
			require.Equal(t, state, term.State(t))
			m.leftNothing(t, before)
		}
	})
}
