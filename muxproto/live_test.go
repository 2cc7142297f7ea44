package muxproto_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// A site is a throw-away sshd with keys and configuration of its own. It is
// started for each login, by the client's ProxyCommand.
type site struct {
	dir    string
	config string // ssh -F config target
}

// newSite sets up an sshd with extra lines for its configuration.
func newSite(t testing.TB, lines ...string) *site {
	t.Helper()
	s := newSiteIn(t, "/tmp")
	sshd := s.sshdConfig(t, lines...)
	s.config = s.write(t, "ssh_config", append(s.sshConfig(s.file),
		fmt.Sprintf("ProxyCommand %s -i -e -f %s 2>>%s", program(t, "sshd"), sshd, s.file("log")))...)
	return s
}

// newSiteIn makes a site's keys in a new folder below dir.
func newSiteIn(t testing.TB, dir string) *site {
	t.Helper()
	program(t, "sshd")
	program(t, "ssh")
	if os.Geteuid() == 0 {
		// Debian's start script makes it. Only root's sshd asks for it.
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	s := &site{dir: shortDir(t, dir)}
	s.keygen(t, "host_key")
	s.keygen(t, "id")
	return s
}

// sshdConfig writes an sshd's configuration and returns its path.
func (s *site) sshdConfig(t testing.TB, lines ...string) string {
	return s.write(t, "sshd_config", append([]string{
		"HostKey " + s.file("host_key"), "AuthorizedKeysFile " + s.file("id.pub"),
		"UsePAM no", "StrictModes no", "PidFile none", "LogLevel VERBOSE",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes",
		"PrintMotd no", "PrintLastLog no", "AcceptEnv CT_*", "Subsystem sftp internal-sftp",
	}, lines...)...)
}

// sshConfig is a client's configuration but for the way to the host. Path gives
// the paths of the site's files.
func (s *site) sshConfig(path func(name string) string) []string {
	return []string{
		"Host target", "HostName 127.0.0.1", "HostKeyAlias target", "BatchMode yes", "IdentitiesOnly yes",
		"IdentityFile " + path("id"), "IdentityAgent none", "StrictHostKeyChecking accept-new",
		"UserKnownHostsFile " + path("known_hosts"), "GlobalKnownHostsFile /dev/null", "LogLevel ERROR",
	}
}

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(t testing.TB, name string, lines ...string) string {
	require.NoError(t, os.WriteFile(s.file(name), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return s.file(name)
}

func (s *site) keygen(t testing.TB, name string) {
	out, err := exec.Command(program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", s.file(name)).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// master starts OpenSSH's own master with extra options and returns its socket,
// which accepts slaves. The master ends with the test.
func (s *site) master(t testing.TB, name string, options ...string) string {
	t.Helper()
	args := append([]string{"-F", s.config, "-N", "-S", s.file(name)}, append(options, "target")...)
	cmd := exec.Command(program(t, "ssh"), args...)
	cmd.Env = cleanEnv(s.dir)
	s.launch(t, name, cmd)
	return s.file(name)
}

// launch starts a master and waits until its socket accepts slaves.
func (s *site) launch(t testing.TB, name string, cmd *exec.Cmd) {
	t.Helper()
	s.start(t, name, cmd)
	require.Eventually(t, func() bool {
		c, err := muxproto.Dial(within(t), s.file(name))
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, patience, 5e6, "the stock master did not come up")
}

// start starts a program that ends with the test.
func (s *site) start(t testing.TB, name string, cmd *exec.Cmd) {
	t.Helper()
	log, err := os.Create(s.file(name + ".log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			logText, _ := os.ReadFile(s.file(name + ".log"))
			sshdText, _ := os.ReadFile(s.file("log"))
			t.Logf("log of %s:\n%s\nsshd's log:\n%s", name, logText, sshdText)
		}
	})
}

// cleanEnv is an environment in which ssh does the same on every machine.
func cleanEnv(home string, extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TERM=xterm-256color"}, extra...)
}

// sshVersion is what `ssh -V` prints.
func sshVersion(t testing.TB) string {
	out, err := exec.Command(program(t, "ssh"), "-V").CombinedOutput()
	require.NoError(t, err)
	version, _, _ := strings.Cut(string(out), ",")
	return version
}
