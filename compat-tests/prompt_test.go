package compat

import (
	"crypto/ed25519"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// lockedKey writes a private key with a passphrase that the server accepts.
func (m *Master) lockedKey(t testing.TB, passphrase string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	require.NoError(t, err)
	path := write(t, filepath.Join(m.Dir, "locked"), 0o600, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	write(t, filepath.Join(m.Dir, "authorized_keys"), 0o600, string(ssh.MarshalAuthorizedKey(key)))
	return path
}

const atRest = "at rest> "

// askedAtShell starts a master with -f from an interactive shell with job control, and returns when it asks for the
// passphrase "sesame". Before is the terminal while the shell waits for a command.
func (m *Master) askedAtShell(t *testing.T) (term *Terminal, before State) {
	return m.askedAt(t, "sh", "-i")
}

// askedAt does so from a shell of that command line.
func (m *Master) askedAt(t *testing.T, shell ...string) (term *Terminal, before State) {
	key := m.lockedKey(t, "sesame")
	term = newTerminal(t)
	term.Start(t, []string{"PS1=" + atRest}, shell...)
	term.Expect(t, atRest)
	before = term.State(t)
	line := ""
	for _, word := range m.Command("-M", "-N", "-f", "-oBatchMode=no", "-oIdentityFile="+key, Target) {
		line += "'" + word + "' "
	}
	term.Type(t, line+"\n")
	term.Expect(t, "Enter passphrase for key")
	return term, before
}

// A shell takes its terminal back as soon as the command it started has ended: only a command that outlives whoever
// set the terminal leaves it as it was.
func TestInterruptedPrompt(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		term, before := m.askedAtShell(t)
		term.Type(t, "\x03")
		shown := term.Expect(t, atRest)
		require.NotContains(t, shown, "ssh", "an interrupt needs no explanation")
		require.Equal(t, before, term.State(t))
		term.Type(t, "echo code=$?\n")
		term.Expect(t, "code=130")
		require.Zero(t, m.answering())
	})
}

func TestSuspendedPrompt(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		term, before := m.askedAtShell(t)
		term.Type(t, "\x1a")
		term.Expect(t, atRest)
		require.Equal(t, before, term.State(t))
		term.Type(t, "fg\n")
		term.Expect(t, "Enter passphrase for key")
		term.Type(t, "sesame\n")
		shown := term.Expect(t, atRest)
		require.NotContains(t, shown, "sesame")
		require.Equal(t, before, term.State(t))
		m.adopt(t)
		require.Equal(t, Result{Stdout: "in\n"}, m.Session(t, "echo in"))
	})
}

// -q and -E have a say in what is said of a failure, too.
func TestQuietFailure(t *testing.T) {
	forEachMaster(t, Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		log := filepath.Join(m.Dir, "log")
		unreachable := []string{"-M", "-N", "-oProxyCommand=false"}
		require.Equal(t, Result{Code: 255}, run(t, Command{Args: m.Command(append(unreachable, "-q", Target)...)}))
		require.Equal(t, Result{Code: 255}, run(t, Command{Args: m.Command(append(unreachable, "-E", log, Target)...)}))
		require.NotEmpty(t, read(t, log))
		require.Equal(t, Result{Code: 255}, run(t, Command{Args: m.Command("-q", "-O", "check", Target)}))
	})
}

// What a master in the background starts may be another master: its ProxyCommand sees nothing of how the first one went
// into the background.
func TestBackgroundVariableIsNotInherited(t *testing.T) {
	onlyOurs(t, "stock forks", Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		env := filepath.Join(m.Dir, "env")
		r := run(t, Command{Args: m.Command("-f", "-oProxyCommand=env >"+env+"; exit 1", Target)})
		require.Equal(t, 255, r.Code)
		content, err := os.ReadFile(env)
		require.NoError(t, err)
		require.NotContains(t, string(content), "SSH_MASTER")
	})
}

// Nor of how our runtime was set, and all of how the user set it.
func TestRuntimeSettingIsNotInherited(t *testing.T) {
	onlyOurs(t, "stock has no such runtime", Setup{NotStarted: true, KeepOpen: true}, func(t *testing.T, m *Master) {
		for _, said := range []string{"", "gctrace=0", "gctrace=0,scavtrace=0"} {
			env := filepath.Join(m.Dir, "env")
			c := Command{Args: m.Command("-M", "-N", "-oProxyCommand=echo \"[$GODEBUG]\" >"+env+"; exit 1", Target)}
			if said != "" {
				c.Env = []string{"GODEBUG=" + said}
			}
			require.Equal(t, 255, run(t, c).Code)
			require.Equal(t, "["+said+"]\n", read(t, env))
		}
	})
}
