package stocklink_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/stocklink"
)

// choose resolves "target" with lines of configuration and arguments.
func choose(t *testing.T, able error, lines []string, args ...string) string {
	t.Helper()
	h := resolve(t, t.TempDir(), append(append([]string{}, lines...), "Host *", "IdentityAgent none"), args...)
	why, err := stocklink.Choose(within(t), h, func(*hostconfig.Host) error { return able })
	require.NoError(t, err)
	return why
}

func TestChoose(t *testing.T) {
	none := []string{"IdentityFile none"}
	compressed := append(none, "Compression yes")
	require.Empty(t, choose(t, nil, none))
	require.Equal(t, "Compression yes", choose(t, nil, compressed))
	require.Equal(t, "Compression yes", choose(t, nil, none, "-C"))
	require.Empty(t, choose(t, nil, compressed, "-o", "Transport=native"))
	require.Equal(t, "Transport openssh", choose(t, nil, none, "-oTransport=openssh"))
	lacking := errors.New("MACs: none of umac-64@openssh.com is implemented here; add one of hmac-sha2-256")
	require.Equal(t, "MACs: none of umac-64@openssh.com is implemented here", choose(t, lacking, none))
	require.Empty(t, choose(t, lacking, none, "-oTransport=native"))
}

func TestChooseWithoutSSH(t *testing.T) {
	for transport, says := range map[string]string{"auto": "", "native": "", "openssh": "no ssh is installed"} {
		h, err := hostconfig.Resolve(within(t), hostconfig.Query{
			SSH: "/nowhere/ssh", Destination: "x", OwnFile: "none", Args: []string{"-F", "none", "-C", "-oTransport=" + transport},
		})
		require.NoError(t, err)
		why, err := stocklink.Choose(within(t), h, func(*hostconfig.Host) error { return nil })
		require.Empty(t, why)
		if says == "" {
			require.NoError(t, err, transport)
		} else {
			require.ErrorContains(t, err, says)
		}
	}
}

func TestInstead(t *testing.T) {
	failed := func(what string, theirs ...string) error {
		return &upstream.DialError{Stage: upstream.Keyed, Err: &ssh.AlgorithmNegotiationError{What: what, RequestedAlgorithms: theirs}}
	}
	h := resolve(t, t.TempDir(), []string{"KexAlgorithms curve25519-sha256,diffie-hellman-group18-sha512", "Ciphers aes256-ctr"})
	for want, err := range map[string]error{
		"diffie-hellman-group18-sha512 for key exchange":    failed("key exchange", "x", "diffie-hellman-group18-sha512"),
		"zlib@openssh.com for server to client compression": failed("server to client compression", "zlib@openssh.com"),
		"umac-64@openssh.com for client to server MAC":      failed("client to server MAC", "umac-64@openssh.com"),
	} {
		require.Equal(t, want, stocklink.Instead(h, err))
	}
	require.Empty(t, stocklink.Instead(h, failed("server to client cipher", "aes128-ctr")), "ssh would not offer it either")
	require.Empty(t, stocklink.Instead(h, failed("weather", "rain")))
	require.Empty(t, stocklink.Instead(h, errors.New("something else")))
	elsewhere := failed("client to server MAC", "umac-64@openssh.com").(*upstream.DialError)
	elsewhere.Stage = upstream.Reached // at a jump host
	require.Empty(t, stocklink.Instead(h, elsewhere))
	h = resolve(t, t.TempDir(), nil, "-oTransport=native")
	require.Empty(t, stocklink.Instead(h, failed("client to server MAC", "umac-64@openssh.com")))
}

// securityKey is a public key on a security key (PROTOCOL.u2f).
func securityKey(t *testing.T) ssh.PublicKey {
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Type, Key, Application string
	}{ssh.KeyAlgoSKED25519, string(make([]byte, 32)), "ssh:"}))
	require.NoError(t, err)
	return key
}

// privateHalf is a key file in OpenSSH's format (PROTOCOL.key) that holds key.
func privateHalf(key ssh.PublicKey) []byte {
	body := append([]byte("openssh-key-v1\x00"), ssh.Marshal(struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public, Private      string
	}{"none", "none", "", 1, string(key.Marshal()), "handle"})...)
	return pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: body})
}

// A holder is an agent that lists one key.
type holder struct {
	agent.Agent
	key ssh.PublicKey
}

func (h holder) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: h.key.Type(), Blob: h.key.Marshal()}}, nil
}

func TestChooseForSecurityKeys(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	key := securityKey(t)
	alone, beside, plain := filepath.Join(dir, "alone"), filepath.Join(dir, "beside"), filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(alone, privateHalf(key), 0o600))
	require.NoError(t, os.WriteFile(beside+".pub", ssh.MarshalAuthorizedKey(key), 0o600))
	require.NoError(t, os.WriteFile(plain, []byte("-----BEGIN RSA PRIVATE KEY-----\n"+base64.StdEncoding.EncodeToString([]byte("x"))+"\n-----END RSA PRIVATE KEY-----\n"), 0o600))

	for _, name := range []string{alone, beside} {
		require.Equal(t, "IdentityFile "+name+" is on a security key, which may want to be touched", choose(t, nil, []string{"IdentityFile " + name}))
		require.Empty(t, choose(t, nil, []string{"IdentityFile " + name, "PubkeyAuthentication no"}))
		require.NotEmpty(t, choose(t, nil, []string{"IdentityFile " + plain, "IdentityFile " + name}))
	}
	require.Empty(t, choose(t, nil, []string{"IdentityFile " + plain}))
	require.Empty(t, choose(t, nil, []string{"IdentityFile " + filepath.Join(dir, "missing")}))

	socket := filepath.Join(runtimeDir(t), "agent")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(holder{agent.NewKeyring(), key}, nc)
			_ = nc.Close()
		}
	}()
	require.Empty(t, choose(t, nil, []string{"IdentityAgent " + socket, "IdentityFile " + alone}))
	_ = l.Close()
	<-served
}
