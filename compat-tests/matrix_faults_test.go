package compat

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A fault is something that happens between a master and its host. What must hold whatever a master does about it: no
// slave waits for ever, and what a user does next works without a hand's turn, be the master a new one or the old.
type fault struct {
	name   string
	strike func(t *testing.T, p place)
	heal   func(t *testing.T, p place)
}

var faults = []fault{
	{
		"the bastion is off the network",
		func(t *testing.T, p place) { p.cut(t, "bastion") }, func(t *testing.T, p place) { p.mend(t, "bastion") },
	},
	{
		"the bastion stands still (SIGSTOP)",
		func(t *testing.T, p place) { p.pause(t, "bastion") }, func(t *testing.T, p place) { p.resume(t, "bastion") },
	},
	{
		"the bastion is killed, and started later",
		func(t *testing.T, p place) { p.kill(t, "bastion") }, func(t *testing.T, p place) { p.start(t, "bastion") },
	},
	{
		"the bastion is restarted",
		func(t *testing.T, p place) { p.kill(t, "bastion"); p.start(t, "bastion") }, func(*testing.T, place) {},
	},
	{
		"the master is killed, and leaves its socket",
		func(t *testing.T, p place) {
			ask(t, p, "master", "bash", "-c", "kill -KILL $(ssh-master -O check bastion 2>&1 | tr -dc 0-9)")
		},
		func(*testing.T, place) {},
	},
}

// bound is longer than the network's and the configuration's own limits together: who waits longer hangs.
const bound = 90 * time.Second

// running is what a slave runs, and where its outputs go.
type running struct {
	*Process
	dir string
}

// fault does one to running sessions of all slaves, to sessions that begin while it lasts, and sees what works afterwards.
func (b *bastion) fault(t *testing.T, f fault) {
	b.again(t)
	var held, short []running
	for _, slave := range releases {
		held = append(held, b.begin(t, slave, "ssh", "bastion", "echo ready; cat"))
	}
	for _, r := range held {
		eventually(t, func() bool { return read(t, r.dir+"/stdout") == "ready\n" }, "no session")
	}
	f.strike(t, b.place)
	var before, during []string
	for _, r := range held {
		before = append(before, r.ended(t, 255))
	}
	for _, slave := range releases {
		short = append(short, b.begin(t, slave, "ssh", "-o", "BatchMode=yes", "bastion", "hostname"))
	}
	for _, r := range short {
		during = append(during, r.ended(t, 0, 255))
	}
	f.heal(t, b.place)
	b.again(t)
	for _, slave := range releases {
		require.Equal(t, Result{Stdout: "bastion\n"}, bash(t, b.place, slave, "ssh bastion hostname", nil), slave)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) == 0 {
		b.faults = [][]string{{"what happens", "a session that runs", "a session that begins while it lasts", "`ssh-master` and sessions, afterwards"}}
	}
	b.faults = append(b.faults, []string{f.name, same(before), same(during), "✓ ✓ ✓ ✓"})
}

// begin starts a command on a slave, with a standard input that stays open.
func (b *bastion) begin(t *testing.T, slave string, args ...string) running {
	t.Helper()
	r := running{dir: shortDir(t)}
	args = b.place.command(slave, on{stdin: true}, args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environment()
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = stdin.Close() })
	for name, to := range map[string]*io.Writer{"stdout": &cmd.Stdout, "stderr": &cmd.Stderr} {
		file, err := os.Create(r.dir + "/" + name)
		require.NoError(t, err)
		defer file.Close()
		*to = file
	}
	r.Process = start(t, cmd)
	return r
}

// ended waits for the end of what a slave ran, which must have one of the exit statuses, and tells what its user saw.
func (r running) ended(t *testing.T, codes ...int) string {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(bound):
		require.FailNow(t, "a slave hangs")
	}
	code := exitCode(r.cmd.ProcessState)
	require.Contains(t, codes, code, read(t, r.dir+"/stderr"))
	return seen(code, read(t, r.dir+"/stderr"))
}

// seen is an exit status and the last thing that was said, for a cell.
func seen(code int, said string) string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(said, "\r", "")), "\n")
	last := anyAddress.ReplaceAllString(strings.ReplaceAll(lines[len(lines)-1], "|", "/"), "ADDRESS")
	return strings.TrimSuffix(fmt.Sprintf("%d: %s", code, last), ": ")
}

var anyAddress = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+`)

// same joins what the slaves saw, once where all saw the same.
func same(all []string) string {
	for _, one := range all {
		if one != all[0] {
			return strings.Join(all, "; ")
		}
	}
	return all[0]
}

// again sees to it that the bastion has a master with a link, as a user at a terminal would: ask whether there is one,
// start one if not, run something, and give a code whenever one is asked for.
func (b *bastion) again(t *testing.T) {
	t.Helper()
	eventually(t, func() bool {
		r := run(t, Command{Args: b.place.command("master", on{}, "timeout", "5", "bash", "-c", "head -n 1 </dev/tcp/bastion/22"), Timeout: bound})
		return strings.HasPrefix(r.Stdout, "SSH-2.0-")
	}, "the bastion is not back")
	b.answer(t, "master", "ssh-master -O check bastion || ssh-master -f -o ServerAliveInterval=1 -o HoldTimeout=10s bastion")
	// A slave's: it has no key, and no way but the master's.
	require.Contains(t, b.answer(t, "slave-13", "ssh -t bastion 'echo I am at $(hostname)'"), "I am at bastion")
}

// answer runs a script at a terminal, gives a code whenever one is asked for, and returns what else was shown.
func (b *bastion) answer(t *testing.T, host, script string) string {
	t.Helper()
	term, p := atTerminal(t, b.place, host, script+"; echo code $?; read x")
	for all := ""; ; {
		shown, asked := "", false
		eventually(t, func() bool {
			var ok bool
			if shown, asked = term.take(codeAsked); !asked {
				shown, ok = term.take("code ")
			}
			return asked || ok
		}, "no way to the bastion")
		all += shown
		if !asked {
			require.Equal(t, "0\r\n", term.Expect(t, "\n"), "%s: %s", script, all)
			term.Type(t, "\r")
			require.Equal(t, 0, p.Wait(t))
			return all
		}
		term.Type(t, b.code()+"\r")
	}
}
