package identity_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/identity"
)

// FuzzKeyFile reads whatever lies where a key should, as key, public half and
// certificate: it is offered or complained about, no more.
func FuzzKeyFile(f *testing.F) {
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPwTyJsG4CMxmmZ9HiTz6W2ho3D1vyJMtVRFM4Wc7fLC me\n"))
	folder := f.TempDir()
	for name, args := range map[string][]string{
		"plain":     {"-t", "ed25519", "-N", ""},
		"encrypted": {"-t", "ed25519", "-a", "1", "-N", "secret"},
		"pkcs8":     {"-t", "ecdsa", "-m", "PKCS8", "-N", "secret"},
		"pem":       {"-t", "ecdsa", "-m", "PEM", "-N", "secret"},
	} {
		path := filepath.Join(folder, name)
		if exec.Command("ssh-keygen", append(args, "-q", "-f", path)...).Run() != nil {
			continue // the other seeds will do
		}
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := t.TempDir() + "/key"
		for _, name := range []string{path, path + "-cert.pub"} {
			require.NoError(t, os.WriteFile(name, data, 0o600))
		}
		c, _ := newConfig(t)
		c.IdentityFiles, c.Prompter = files(path), &person{answers: []string{"secret", "wrong"}}
		a, err := identity.New(c)
		require.NoError(t, err)
		defer a.Close()
		callback := a.AuthCallback(t.Context())
		for range 3 {
			if _, err := callback(&ssh.ClientAuthContext{AllowedMethods: []string{"publickey"}}); err != nil {
				return
			}
		}
		require.Error(t, a.Explain(os.ErrInvalid))
	})
}
