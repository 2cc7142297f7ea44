package sshtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Host is the name under which the configuration of WriteFiles knows the server.
const Host = "demo"

// Files are the paths of what a real ssh needs to reach a server.
type Files struct {
	ClientKey  string // OpenSSH private key, mode 0600
	KnownHosts string // one line: the server's host key
	Config     string // ssh_config with one Host block, named Host
}

// Files writes the server's files into a folder that lives as long as the test.
func (s *Server) Files(t testing.TB) Files {
	t.Helper()
	files, err := s.WriteFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// WriteFiles writes the client key, a known_hosts file and an ssh_config into dir, which must exist. The names of the
// files are client_key, known_hosts and ssh_config.
func (s *Server) WriteFiles(dir string) (Files, error) {
	files := Files{
		ClientKey:  filepath.Join(dir, "client_key"),
		KnownHosts: filepath.Join(dir, "known_hosts"),
		Config:     filepath.Join(dir, "ssh_config"),
	}
	for _, file := range []struct {
		path    string
		content []byte
	}{
		{files.ClientKey, s.client.file},
		{files.KnownHosts, []byte(s.KnownHostsLine() + "\n")},
		{files.Config, []byte(s.sshConfig(files))},
	} {
		if err := os.WriteFile(file.path, file.content, 0o600); err != nil {
			return Files{}, fmt.Errorf("sshtest: %w", err)
		}
	}
	return files, nil
}

// KnownHostsLine returns the line, without its line end, that makes the server known under its own address.
func (s *Server) KnownHostsLine() string {
	return knownhosts.Line([]string{knownhosts.Normalize(s.Addr())}, s.HostKey())
}

// ClientKey returns the text of the private key that the server lets in.
func (s *Server) ClientKey() []byte { return s.client.file }

// ClientSigner returns the private key that the server lets in.
func (s *Server) ClientSigner() ssh.Signer { return s.client.Signer }

// HostKey returns the public half of the server's host key.
func (s *Server) HostKey() ssh.PublicKey { return s.host.PublicKey() }

// ClientConfig returns a configuration that logs in at this server and accepts no other host key.
func (s *Server) ClientConfig() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		Config:          ssh.Config{RekeyThreshold: 1 << 62}, // a rekey begun by a busy x/crypto client can deadlock
		User:            "demo",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(s.client.Signer)},
		HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
	}
}

// sshConfig returns the Host block.
func (s *Server) sshConfig(files Files) string {
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		host, port = "localhost", "22"
	}
	return strings.Join([]string{
		"Host " + Host,
		"    HostName " + host,
		"    Port " + port,
		"    User demo",
		"    IdentityFile " + quote(files.ClientKey),
		"    IdentitiesOnly yes",
		"    IdentityAgent none",
		"    UserKnownHostsFile " + quote(files.KnownHosts),
		"    GlobalKnownHostsFile none",
		"    StrictHostKeyChecking yes",
		"    BatchMode yes",
		"",
	}, "\n")
}

// quote protects a path with spaces in it from ssh_config's word splitting, and a percent sign from its tokens.
func quote(path string) string {
	return `"` + strings.ReplaceAll(path, "%", "%%") + `"`
}
