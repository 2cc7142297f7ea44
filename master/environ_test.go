package master_test

import (
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
)

// keyring is an agent's socket, with the key that srv lets in.
func keyring(t *testing.T, srv *sshtest.Server) string {
	t.Helper()
	keys := agent.NewKeyring()
	key, err := ssh.ParseRawPrivateKey(srv.ClientKey())
	require.NoError(t, err)
	require.NoError(t, keys.Add(agent.AddedKey{PrivateKey: key}))
	path := filepath.Join(t.TempDir(), rand.Text()[:4])
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	serveOn(t, l, func(c net.Conn) { _ = agent.ServeAgent(keys, c) })
	return path
}

// A session that begins later has another agent, and the next login asks that one.
func TestSetEnv(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	env := func(socket string) []string { return []string{"SSH_AUTH_SOCK=" + socket, "PATH=/usr/bin:/bin"} }
	gone := env(filepath.Join(t.TempDir(), "gone"))
	config := srv.Files(t).Config
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	text = regexp.MustCompile(`(?m)^ *(IdentityFile|IdentitiesOnly|IdentityAgent) .*$`).ReplaceAll(text, nil)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	host, err := master.Resolve(t.Context(), master.Query{
		Args:        []string{"-F", config, "-o", "IdentityFile=none", "-o", "ControlPersist=1"},
		Destination: sshtest.Host, Env: gone, OwnFile: "none",
	})
	require.NoError(t, err)
	m := startWith(t, master.Options{Host: host, OnDemand: true, Env: gone})
	_, err = m.open(t, "exit 0")
	require.ErrorContains(t, err, "Permission denied")

	m.SetEnv(env(keyring(t, srv)))
	m.succeeds(t)
	m.rests(t, srv)
	m.SetEnv(env(keyring(t, srv))) // that of another login; the one before may be gone
	m.succeeds(t)
	m.SetEnv(gone)
	m.succeeds(t) // on the link that is up
	require.Equal(t, 2, srv.Counts().Logins)
}
