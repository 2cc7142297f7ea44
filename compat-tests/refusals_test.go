package compat

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDifferentialRefusals is what a server does not grant, and sessions that end in other ways than with a status.
func TestDifferentialRefusals(t *testing.T) {
	compare(t, []group{
		{"no terminal", Setup{Server: []string{"PermitTTY no"}}, []row{
			{name: "on a terminal", do: shownApart("-t", Target, "tty; exit 6")},
			{name: "from no terminal", do: client("-tt", Target, "tty; exit 6")},
			{name: "not wanted", do: client("-T", Target, "tty; exit 6")},
		}},
		{"a command of the server's", Setup{Server: []string{"ForceCommand echo forced, $SSH_ORIGINAL_COMMAND; exit 9"}}, []row{
			{name: "command", do: client(Target, "mine")},
			{name: "shell", do: client("-T", Target)},
			{name: "subsystem", do: client("-s", Target, "sftp")},
		}},
		{"ends", Setup{}, []row{
			{name: "by TERM", do: client(Target, "echo out; kill -TERM $$")},
			{name: "by SEGV", do: client(Target, "echo out; kill -SEGV $$")},
			{name: "by KILL on a terminal", do: typed("\r", "-t", Target, "stty -echo; echo ready; read x; kill -KILL $$")},
			{name: "status of a killed child", do: client(Target, `exec 2>/dev/null; sh -c 'kill -KILL $$'; exit $?`)},
			{name: "no such program", do: client(Target, "/none/such")},
			{name: "outputs left open", do: client(Target, "sleep 0.3 >&2 & echo out; exit 3")},
		}},
	})
}

// shownApart runs ssh on a terminal, and keeps its stderr apart: the order of the two is nobody's promise.
func shownApart(args ...string) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		term, said := newTerminal(t), filepath.Join(m.Dir, "said")
		before := term.State(t)
		p := term.Start(t, nil, append([]string{"sh", "-c", `"$@" 2>` + said + `; echo "[code $?]"`, "sh"}, m.SSH(args...)...)...)
		shown := term.Expect(t, "[code ") + term.Expect(t, "]")
		p.Wait(t)
		return outcome{
			"shown": shown, "stderr": read(t, said),
			"terminal": fmt.Sprint("as before: ", before == term.State(t)),
		}
	}
}

// TestServerKeepalives: a server that asks every second whether somebody is there gets its answers, whether it asks the
// connection or a session.
func TestServerKeepalives(t *testing.T) {
	setup := Setup{Server: []string{"ClientAliveInterval 1", "ClientAliveCountMax 1"}}
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		time.Sleep(3 * time.Second) // what is tested: nobody does anything meanwhile
		session, stdin, out := heldSession(t, m, "cat; exit 5")
		time.Sleep(5 * time.Second)
		_, err := stdin.WriteString("alive\n")
		require.NoError(t, err)
		expect(t, out, "alive\n")
		require.NoError(t, stdin.Close())
		require.Equal(t, 5, session.Wait(t))
		m.End(t)
	})
}
