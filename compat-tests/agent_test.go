package compat

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyAgent is a throw-away ssh-agent with one key.
type keyAgent struct {
	socket string
	listed string // what ssh-add -l says of it
}

// newKeyAgent starts one in the foreground and waits until it has its key.
func newKeyAgent(t testing.TB) *keyAgent {
	t.Helper()
	program(t, "ssh-agent")
	program(t, "ssh-add")
	dir := shortDir(t)
	a := &keyAgent{socket: filepath.Join(dir, "agent")}
	cmd := exec.Command("ssh-agent", "-D", "-a", a.socket)
	cmd.Env = environment()
	start(t, cmd)
	eventually(t, func() bool { return exists(a.socket) }, "the agent never listened")
	key := filepath.Join(dir, "key")
	writeKey(t, key)
	ok(t, Command{Args: []string{"ssh-add", "-q", key}, Env: []string{"SSH_AUTH_SOCK=" + a.socket}})
	a.listed = ok(t, Command{Args: []string{"ssh-add", "-l"}, Env: []string{"SSH_AUTH_SOCK=" + a.socket}}).Stdout
	require.Contains(t, a.listed, "(ED25519)")
	return a
}

// forwarding has a master use the agent: the configuration of the tests turns every agent off.
func (a *keyAgent) forwarding(option string) Setup {
	return Setup{
		Options:     []string{option, "-o", "IdentityAgent=SSH_AUTH_SOCK"},
		Environment: []string{"SSH_AUTH_SOCK=" + a.socket},
	}
}

// listsKeys asks on the far side what the agent holds. The client's environment names no agent: it is the master's that
// is forwarded.
const listsKeys = `ssh-add -l; echo "code $?"`

// noAgent is what ssh-add says where there is none.
const noAgent = "Could not open a connection to your authentication agent.\n"

func TestAgentForwarding(t *testing.T) {
	a := newKeyAgent(t)
	forEachMaster(t, a.forwarding("-A"), func(t *testing.T, m *Master) {
		// These come first: a sshd that was asked once gives every later session of the connection the agent.
		without := Result{Stdout: "code 2\n", Stderr: noAgent}
		require.Equal(t, without, run(t, Command{Args: m.SSH(Target, listsKeys)}), "not asked for")
		require.Equal(t, without, run(t, Command{Args: m.SSH("-a", Target, listsKeys)}), "not wanted")
		want := Result{Stdout: a.listed + "code 0\n"}
		require.Equal(t, want, run(t, Command{Args: m.SSH("-A", Target, listsKeys)}))
		before := m.rested(t)
		require.Equal(t, want, run(t, Command{Args: m.SSH("-o", "ForwardAgent=yes", Target, listsKeys)}))
		several := run(t, Command{Args: m.SSH("-A", Target, "for i in 1 2 3 4 5; do ssh-add -l & done; wait")})
		require.Equal(t, strings.Repeat(a.listed, 5), several.Stdout)
		signsOnFarSide(t, m)
		m.settles(t, before)
		m.End(t)
	})
}

// signsOnFarSide: the key is of use there.
func signsOnFarSide(t testing.TB, m *Master) {
	t.Helper()
	const command = `cd; ssh-add -L >key.pub; echo words >file; ssh-keygen -q -Y sign -n test -f key.pub file && ` +
		`ssh-keygen -q -Y check-novalidate -n test -s file.sig <file && echo signed; rm -f file.sig`
	r := run(t, Command{Args: m.SSH("-A", Target, command)})
	require.Equal(t, 0, r.Code, r.Stderr)
	require.True(t, strings.HasSuffix(r.Stdout, "signed\n"), "%s%s", r.Stdout, r.Stderr)
}

// A master that was not told to forward its agent does not, whatever its slaves ask.
func TestAgentForwardingNotTold(t *testing.T) {
	a := newKeyAgent(t)
	forEachMaster(t, a.forwarding("-a"), func(t *testing.T, m *Master) {
		want := Result{Stdout: "code 2\n", Stderr: noAgent}
		require.Equal(t, want, run(t, Command{Args: m.SSH("-A", Target, listsKeys)}))
	})
}

// ForwardAgent may name another agent than the one of the environment.
func TestAgentForwardingByPath(t *testing.T) {
	a := newKeyAgent(t)
	forEachMaster(t, Setup{Options: []string{"-o", "ForwardAgent=" + a.socket}}, func(t *testing.T, m *Master) {
		want := Result{Stdout: a.listed + "code 0\n"}
		require.Equal(t, want, run(t, Command{Args: m.SSH("-A", Target, listsKeys)}))
	})
}

// The agent is gone: the far side's requests end, the session does not, nor does the master.
func TestAgentGone(t *testing.T) {
	a := newKeyAgent(t)
	setup := a.forwarding("-A")
	setup.Environment = []string{"SSH_AUTH_SOCK=" + a.socket + ".none"}
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.SSH("-A", Target, `ssh-add -l || echo nothing; test -S "$SSH_AUTH_SOCK" && echo forwarded; exit 3`)})
		require.Equal(t, "nothing\nforwarded\n", r.Stdout, r.Stderr)
		require.Equal(t, 3, r.Code)
		require.Equal(t, Result{Stdout: "served\n"}, m.Session(t, "echo served"))
	})
}
