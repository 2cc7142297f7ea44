package guest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/prompt"
)

// askpass writes a program that answers with the variable WHO.
func askpass(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "askpass")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho \"$WHO\"\n"), 0o700))
	return path
}

func environment(program, who string) []string {
	return []string{"PATH=/usr/bin:/bin", "SSH_ASKPASS=" + program, "DISPLAY=:0", "WHO=" + who}
}

// The rules and the program are those of who asks.
func TestAskpassOfTheSlave(t *testing.T) {
	sshtest.NoLeaks(t)
	program := askpass(t)
	cmd := sleeper()
	cmd.Env = environment(program, "slave")
	slave := (*desk)(nil).start(t, cmd)
	g := newGuest(t, guest.Config{Files: noTerminal(t), PID: slave.Pid, Env: environment(program, "master")})
	require.True(t, g.Interactive())
	require.Equal(t, reply{answer: "slave"}, get(t, ask(t.Context(), g, code)))
}

func TestAskpassIsNotForced(t *testing.T) {
	program := askpass(t)
	cmd := sleeper()
	cmd.Env = append(environment(program, "slave"), "SSH_ASKPASS_REQUIRE=never")
	slave := (*desk)(nil).start(t, cmd)
	g := newGuest(t, guest.Config{Files: noTerminal(t), PID: slave.Pid, Env: environment(program, "master")})
	require.False(t, g.Interactive())
	_, err := g.Prompt(t.Context(), code)
	require.ErrorIs(t, err, prompt.ErrNoPrompt)
}

func TestAskpassOfTheMaster(t *testing.T) {
	g := newGuest(t, guest.Config{Files: noTerminal(t), Env: environment(askpass(t), "master")})
	require.Equal(t, reply{answer: "master"}, get(t, ask(t.Context(), g, code)))
}

// A process that could not run the program itself, or open the terminal, does
// not get it done here: neither its environment nor its controlling terminal
// is used.
func TestStrangers(t *testing.T) {
	program := askpass(t)
	for name, wrap := range map[string][]string{
		"no new privileges":   {"setpriv", "--no-new-privs"},
		"fewer capabilities":  {"setpriv", "--inh-caps=-all", "--bounding-set=-all"},
		"another user":        {"setpriv", "--reuid=65534", "--clear-groups"},
		"another mount space": {"unshare", "--mount"},
	} {
		t.Run(name, func(t *testing.T) {
			if os.Getuid() != 0 && name != "no new privileges" {
				t.Skip("only root can start one") // with other capabilities, another user or mounts; a user's own namespace would be a stranger too, but for another reason
			}
			d := newDesk(t)
			cmd := exec.Command(wrap[0], append(wrap[1:], "sh", "-c", "echo ready; exec sleep 600")...)
			cmd.Env = environment(program, "slave")
			line := readLine(t, cmd)
			slave := d.start(t, cmd)
			require.Equal(t, "ready", line())
			g := newGuest(t, guest.Config{Files: noTerminal(t), PID: slave.Pid, Env: environment(program, "master")})
			require.Equal(t, reply{answer: "master"}, get(t, ask(t.Context(), g, code)))
			require.Empty(t, d.text())
		})
	}
}
