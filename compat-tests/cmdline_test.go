package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// startAs starts a master with this whole command line and waits until it answers at m.Control.
func (m *Master) startAs(t testing.TB, dir string, env []string, args ...string) {
	t.Helper()
	line := append(append([]string{}, m.binary...), args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir, cmd.Env = dir, environment(env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	words, err := os.OpenFile(m.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer words.Close()
	cmd.Stdout, cmd.Stderr = words, words
	m.process = start(t, cmd)
	t.Cleanup(func() { m.report(t) })
	m.WaitReady(t)
	m.Server.StopListening()
}

// The line of an existing script, with nothing but the program's name replaced.
func TestScriptLine(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true}, func(t *testing.T, m *Master) {
		log := filepath.Join(m.Dir, "log")
		m.startAs(t, m.Dir, nil, "-Nn2", "-MS"+m.Control, "-F", m.Server.Config, "-oSendEnv=CT_X", Target, "-E", log)
		r := run(t, Command{Args: []string{"ssh", "-F", m.Server.Config, "-S", m.Control, "-oSendEnv=CT_X", Target, "echo x=$CT_X"}, Env: []string{"CT_X=1"}})
		require.Equal(t, Result{Stdout: "x=1\n"}, r)
		require.True(t, exists(log), "-E after the host was not seen")
		m.End(t)
	})
}

// ssh's ways to write the same thing.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]func(m *Master) []string{
		"apart": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-M", "-N", "-S", m.Control, Target}
		},
		"clustered": func(m *Master) []string {
			return []string{"-MNTnF" + m.Server.Config, "-S" + m.Control, Target}
		},
		"user@host": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-MN", m.Server.User + "@" + Target}
		},
		"-l and -p": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-MN", "-l", m.Server.User, "-p", port(m), Target}
		},
		"ssh:// address": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-MN", "ssh://" + m.Server.User + "@" + Target + ":" + port(m)}
		},
		"options after the host": func(m *Master) []string {
			return []string{"-F", m.Server.Config, Target, "-M", "-N", "-o", "ServerAliveInterval 60"}
		},
		"-- before the host": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-MN", "--", Target}
		},
		"-o ControlMaster and ControlPath": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-N", "-oControlMaster=yes", "-o", "controlpath = " + m.Control, Target}
		},
		"options of a session": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-MN", "-C", "-x", "-a", "-k", "-4", "-q", "-T", "-e", "none", "-b", "127.0.0.1",
				"-c", "aes128-ctr,aes256-ctr", "-m", "hmac-sha2-256", "-i", filepath.Join(m.Dir, "id"), Target}
		},
		"SessionType none": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-M", "-oSessionType=none", Target}
		},
		"-v": func(m *Master) []string {
			return []string{"-F", m.Server.Config, "-vMN", Target}
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, Setup{NotStarted: true}, func(t *testing.T, m *Master) {
				m.startAs(t, m.Dir, nil, args(m)...)
				require.Equal(t, Result{Stdout: "here\n"}, m.Session(t, "echo here"))
				m.End(t)
			})
		})
	}
}

func port(m *Master) string { return itoa(m.Server.Port) }

func TestTokensInControlPath(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true}, func(t *testing.T, m *Master) {
		pattern := filepath.Join(m.Dir, "%r@%n:%p")
		m.Control = filepath.Join(m.Dir, m.Server.User+"@"+Target+":"+port(m))
		m.startAs(t, m.Dir, nil, "-F", m.Server.Config, "-MN", "-S", pattern, Target)
		r := run(t, Command{Args: m.SSH("-S", pattern, Target, "echo tokens")})
		require.Equal(t, Result{Stdout: "tokens\n"}, r)
	})
}

func TestHashInControlPath(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true}, func(t *testing.T, m *Master) {
		pattern := filepath.Join(m.Dir, "%C")
		r := run(t, Command{Args: m.Command("-MNf", "-S", pattern, Target)})
		require.Equal(t, 0, r.Code, r.Stderr)
		m.adoptUnmultiplexed(t)
		m.Server.StopListening()
		s := run(t, Command{Args: m.SSH("-S", pattern, Target, "echo hash")})
		require.Equal(t, Result{Stdout: "hash\n"}, s)
		require.Equal(t, 0, run(t, Command{Args: m.SSH("-S", pattern, "-O", "exit", Target)}).Code)
	})
}

// A word too much is an error, whoever is asked.
func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no host":             {"-M", "-N"},
		"unknown option":      {"-M", "-N", "-Z", Target},
		"value missing":       {"-M", "-N", Target, "-S"},
		"unknown keyword":     {"-M", "-N", "-o", "NoSuchKeyword=1", Target},
		"bad value":           {"-M", "-N", "-o", "ServerAliveInterval=often", Target},
		"bad port":            {"-M", "-N", "-p", "99999999", Target},
		"no such config file": {"-M", "-N", "-F", "/no/such/file", Target},
		"unknown -O":          {"-O", "dance", Target},
	} {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
				r := run(t, Command{Args: append(m.Command(), args...)})
				require.Equal(t, 255, r.Code, r.Stderr)
				require.NotEmpty(t, r.Stderr)
				require.Zero(t, m.Server.Logins())
			})
		})
	}
}

// A remote command is ssh's business.
func TestRemoteCommandIsRefused(t *testing.T) {
	onlyOurs(t, "ssh -M runs it", Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.Command(Target, "uptime")})
		require.NotZero(t, r.Code)
		require.Contains(t, r.Stderr, "ssh")
		require.Empty(t, r.Stdout)
		require.Zero(t, m.Server.Logins())
	})
}

func TestVersion(t *testing.T) {
	onlyOurs(t, "its own version", Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: []string{m.binary[0], "-V"}})
		require.Equal(t, 0, r.Code)
		require.Contains(t, r.Stdout+r.Stderr, "ssh-master")
		r = run(t, Command{Args: []string{m.binary[0], "--help"}})
		require.Equal(t, 0, r.Code)
		require.Contains(t, r.Stdout+r.Stderr, "-O")
	})
}
