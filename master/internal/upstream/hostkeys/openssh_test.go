package hostkeys_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/hostkeys"
)

// listen serves key exchanges with the host keys given, on the loopback, and
// lets nobody in.
func listen(t *testing.T, hostKeys ...ssh.Signer) int {
	t.Helper()
	config := &ssh.ServerConfig{PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
		return nil, errors.New("nobody gets in")
	}}
	for _, key := range hostKeys {
		config.AddHostKey(key)
	}
	return serve(t, func(conn net.Conn) {
		defer conn.Close()
		ssh.NewServerConn(conn, config)
	})
}

// serve calls handle for each connection and returns the port.
func serve(t *testing.T, handle func(net.Conn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// algorithmsOfSSH is what ssh offers when HostKeyAlgorithms is not set.
func algorithmsOfSSH(t *testing.T) []string {
	t.Helper()
	for line := range strings.Lines(run(t, "ssh", "-F", "none", "-G", "srv")) {
		if list, ok := strings.CutPrefix(line, "hostkeyalgorithms "); ok {
			return strings.Split(strings.TrimSpace(list), ",")
		}
	}
	t.Fatal("ssh -G names no hostkeyalgorithms")
	return nil
}

// connect runs a key exchange under our own decision, and says whether the key
// was accepted.
func connect(t *testing.T, port int, config hostkeys.Config) bool {
	t.Helper()
	config.Host, config.Port = "127.0.0.1", port
	checker := hostkeys.New(config)
	algorithms, err := checker.Algorithms(t.Context())
	require.NoError(t, err)
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	defer conn.Close()
	_, _, _, err = ssh.NewClientConn(conn, "127.0.0.1:"+strconv.Itoa(port), &ssh.ClientConfig{
		User: "nobody", HostKeyAlgorithms: algorithms, HostKeyCallback: checker.Callback(t.Context())})
	require.Error(t, err, "nobody gets in")
	var e *hostkeys.Error
	accepted := !errors.As(err, &e)
	require.Equal(t, accepted, checker.Result().Key != nil, "%v", err)
	return accepted
}

// connectSSH does the same with ssh.
func connectSSH(t *testing.T, port int, answer string, options ...string) bool {
	t.Helper()
	args := []string{"-F", "none", "-p", strconv.Itoa(port), "-o", "PreferredAuthentications=none", "-o", "ConnectTimeout=20"}
	for _, option := range options {
		args = append(args, "-o", option)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // ssh 8.4 asks for ever
	defer cancel()
	cmd := exec.CommandContext(ctx, sshtest.Program(t, "ssh"), append(args, "nobody@127.0.0.1", "true")...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS="+script(t, "echo '"+answer+"'"))
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	refused := strings.Contains(string(out), "Host key verification failed")
	require.NotEqual(t, refused, strings.Contains(string(out), "Permission denied"), "%s", out)
	return !refused
}

// The same files, the same host, the same options: ssh and this package have to
// decide the same, and to leave the same file behind.
func TestSideBySide(t *testing.T) {
	k := keys()
	ed, ec, rsa, other := k.ed25519.PublicKey(), k.ecdsa.PublicKey(), k.rsa.PublicKey(), k.otherED.PublicKey()
	ca := k.ca.PublicKey()
	loopback := func(c *ssh.Certificate) { c.ValidPrincipals = []string{"127.0.0.1"} }
	cert := hostCert(t, k.ed25519, k.ca, loopback)
	expired := hostCert(t, k.ed25519, k.ca, func(c *ssh.Certificate) { loopback(c); c.ValidBefore = 1 })
	algorithms := algorithmsOfSSH(t)
	plain, withCert, withExpired := listen(t, k.ed25519, k.ecdsa, k.rsa), listen(t, k.ed25519, cert), listen(t, k.ed25519, expired)

	for _, tc := range []struct {
		name, file, options, answer string // NAME is [127.0.0.1]:port
		port                        int
		want                        bool
	}{
		{name: "unknown yes", options: "StrictHostKeyChecking=yes"},
		{name: "unknown no", options: "StrictHostKeyChecking=no", want: true},
		{name: "unknown accept-new", options: "StrictHostKeyChecking=accept-new", file: line("x", rsa), want: true},
		{name: "unknown ask yes", answer: "yes", want: true},
		{name: "unknown ask no", answer: "no"},
		{name: "unknown ask fingerprint", answer: ssh.FingerprintSHA256(ed), want: true},
		{name: "unknown batch", options: "BatchMode=yes"},
		{name: "unknown no files", options: "StrictHostKeyChecking=no UserKnownHostsFile=none"},
		{name: "known", file: line("NAME", ed), options: "StrictHostKeyChecking=yes", want: true},
		{name: "only ecdsa known", file: line("NAME", ec), options: "StrictHostKeyChecking=yes", want: true},
		{name: "only rsa known", file: line("NAME", rsa), options: "StrictHostKeyChecking=yes", want: true},
		{name: "only rsa known, hashed", file: line("HASHED", rsa), options: "StrictHostKeyChecking=yes", want: true},
		{name: "bad lines", file: "a b c\n127.0.0.1 1024 35 9\nNAME ssh-rsa AAAA\n|1|x NAME\n" + line("NAME", ed), options: "StrictHostKeyChecking=yes", want: true},
		{name: "CRLF", file: strings.ReplaceAll(line("NAME", ed), "\n", "\r\n"), options: "StrictHostKeyChecking=yes", want: true},
		{name: "without port", file: line("127.0.0.1", ed), options: "StrictHostKeyChecking=yes", want: true},
		{name: "without port, another", file: line("127.0.0.1", other), options: "StrictHostKeyChecking=accept-new", want: true},
		{name: "star", file: line("*", ed), options: "StrictHostKeyChecking=yes", want: true},
		{name: "negated", file: line("*,!NAME,!127.0.0.1", ed), options: "StrictHostKeyChecking=yes"},
		{name: "changed", file: line("NAME", other), options: "StrictHostKeyChecking=accept-new"},
		{name: "changed no", file: line("NAME", other), options: "StrictHostKeyChecking=no", want: true},
		{name: "changed by algorithm", file: line("NAME", ec), options: "StrictHostKeyChecking=ask HostKeyAlgorithms=ssh-ed25519", answer: "yes"},
		{name: "revoked", file: line("NAME", ed) + line("@revoked NAME", ed), options: "StrictHostKeyChecking=ask", answer: "yes"},
		{name: "revoked no", file: line("@revoked NAME", ed), options: "StrictHostKeyChecking=no", want: true},
		{name: "revoked elsewhere", file: line("NAME", ed) + line("@revoked other", ed), options: "StrictHostKeyChecking=yes", want: true},
		{name: "alias", file: line("alias", ed), options: "StrictHostKeyChecking=yes HostKeyAlias=alias", want: true},
		{name: "loopback", file: line("NAME", other), options: "NoHostAuthenticationForLocalhost=yes", want: true},
		{name: "authority, no certificate", file: line("@cert-authority *", ca), options: "StrictHostKeyChecking=yes"},
		{name: "certificate", file: line("@cert-authority *", ca), options: "StrictHostKeyChecking=yes", port: withCert, want: true},
		{name: "certificate without port", file: line("@cert-authority 127.0.0.1", ca), options: "StrictHostKeyChecking=yes", port: withCert, want: true},
		{name: "certificate, plain key known", file: line("NAME", ed), options: "StrictHostKeyChecking=yes", port: withCert, want: true},
		{name: "certificate, authority as a host key", file: line("NAME", ca), options: "StrictHostKeyChecking=yes", port: withCert},
		{name: "certificate, authority revoked", file: line("@cert-authority *", ca) + line("@revoked *", ca), options: "StrictHostKeyChecking=accept-new", port: withCert},
		{name: "expired", file: line("@cert-authority *", ca), options: "StrictHostKeyChecking=yes", port: withExpired},
		{name: "expired, accept-new", file: line("@cert-authority *", ca), options: "StrictHostKeyChecking=accept-new", port: withExpired, want: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.port == 0 {
				tc.port = plain
			}
			text := strings.ReplaceAll(tc.file, "NAME", "[127.0.0.1]:"+strconv.Itoa(tc.port))
			files := [2]string{write(t, text), write(t, text)}
			if strings.Contains(text, "HASHED") {
				files = [2]string{}
				for i := range files {
					files[i] = write(t, strings.ReplaceAll(text, "HASHED", "[127.0.0.1]:"+strconv.Itoa(tc.port)))
					run(t, "ssh-keygen", "-q", "-H", "-f", files[i])
				}
			}
			options := strings.Fields(tc.options)
			config := hostkeys.Config{UserFiles: files[:1], HostKeyAlgorithms: algorithms, Prompter: &person{answers: []string{tc.answer}}}
			for _, option := range options {
				configure(t, &config, option)
			}
			ours := connect(t, tc.port, config)
			if !strings.Contains(tc.options, "UserKnownHostsFile") {
				options = append(options, "UserKnownHostsFile="+files[1])
			}
			theirs := connectSSH(t, tc.port, tc.answer, append(options, "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no", "HashKnownHosts=no")...)
			require.Equal(t, theirs, ours, "ssh accepts the key: %v", theirs)
			require.Equal(t, tc.want, ours)
			if !strings.Contains(tc.file, "HASHED") {
				require.Equal(t, read(t, files[1]), read(t, files[0]), "the file that ssh leaves")
			}
		})
	}
}

// configure takes one option as ssh does.
func configure(t *testing.T, config *hostkeys.Config, option string) {
	t.Helper()
	name, value, _ := strings.Cut(option, "=")
	var err error
	switch name {
	case "StrictHostKeyChecking":
		config.Strict, err = hostkeys.ParseStrict(value)
	case "BatchMode":
		config.Batch = value == "yes"
	case "UserKnownHostsFile":
		config.UserFiles = []string{value}
	case "HostKeyAlgorithms":
		config.HostKeyAlgorithms, config.KeepAlgorithmOrder = strings.Split(value, ","), true
	case "HostKeyAlias":
		config.Alias = value
	case "NoHostAuthenticationForLocalhost":
		config.TrustLocal = value == "yes"
	default:
		t.Fatalf("unknown option %s", option)
	}
	require.NoError(t, err)
}
