package hostkeys_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/hostkeys"
	"sshmaster/master/internal/upstream/prompt"
)

// keyring holds keys that are made once: the host's, and others.
type keyring struct {
	ed25519, ecdsa, rsa          ssh.Signer
	otherED, otherECDSA, ca, ca2 ssh.Signer
	private                      map[ssh.Signer]crypto.PrivateKey
}

var keys = sync.OnceValue(func() *keyring {
	ring := &keyring{private: map[ssh.Signer]crypto.PrivateKey{}}
	sign := func(key crypto.PrivateKey, err error) ssh.Signer {
		if err != nil {
			panic(err)
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			panic(err)
		}
		ring.private[signer] = key
		return signer
	}
	newED := func() ssh.Signer {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return sign(key, err)
	}
	newECDSA := func() ssh.Signer {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return sign(key, err)
	}
	ring.ed25519, ring.otherED, ring.ca, ring.ca2 = newED(), newED(), newED(), newED()
	ring.ecdsa, ring.otherECDSA = newECDSA(), newECDSA()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ring.rsa = sign(key, err)
	return ring
})

// line returns a line of known_hosts for a key.
func line(hosts string, key ssh.PublicKey) string {
	return hosts + " " + key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()) + "\n"
}

// hostCert has the authority sign a certificate for the key.
func hostCert(t testing.TB, key, authority ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	now := time.Now()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: "the host", Serial: 7,
		ValidPrincipals: []string{"srv"},
		ValidAfter:      uint64(now.Add(-time.Hour).Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	require.NoError(t, cert.SignCert(rand.Reader, authority))
	signer, err := ssh.NewCertSigner(cert, key)
	require.NoError(t, err)
	return signer
}

// write writes a file into a fresh folder and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// person answers questions from a list, and keeps them.
type person struct {
	mu      sync.Mutex
	answers []string
	asked   []string
	err     error
}

func (p *person) Prompt(_ context.Context, q prompt.Question) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q.Text)
	if p.err != nil || len(p.answers) == 0 {
		return "", p.err
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return answer, nil
}

// screen keeps notices.
type screen struct{ texts []string }

func (s *screen) show(text string) { s.texts = append(s.texts, text) }
func (s *screen) all() string      { return strings.Join(s.texts, "\n") }

var remote net.Addr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 22}

// check judges a key by a fresh checker.
func check(t testing.TB, config hostkeys.Config, key ssh.PublicKey) (hostkeys.Result, error) {
	t.Helper()
	if config.Host == "" {
		config.Host = "srv"
	}
	checker := hostkeys.New(config)
	err := checker.Check(t.Context(), remote, key)
	return checker.Result(), err
}

// refused requires an error of a kind and returns it.
func refused(t testing.TB, err error, kind hostkeys.Kind) *hostkeys.Error {
	t.Helper()
	var e *hostkeys.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind.String(), e.Kind.String(), "%v", err)
	require.NotContains(t, e.Error(), "\n")
	require.Contains(t, e.Error(), "Host key verification failed")
	require.NotEmpty(t, e.Remedy)
	return e
}

// run runs a program and returns what it prints.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), sshtest.Program(t, name), args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}
