package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checks: the slave is told the master's process, and can see it where it shares the master's processes.
func checks(c *cell) mark {
	c.Helper()
	r := bash(c.T, c.place, c.slave.host, c.script(`ssh -O check $host; cat /proc/$pid/comm 2>/dev/null`), nil)
	found := masterRunning.FindStringSubmatch(r.Stderr)
	require.NotNil(c, found, r.Stderr)
	require.Equal(c, c.pid, found[1])
	if !c.apart() {
		require.Equal(c, "ssh-master\n", r.Stdout)
	}
	return mark{}
}

// apart tells whether the slave has processes of its own, among which the master is not.
func (c *cell) apart() bool { return c.slave.host == "slave-apart" }

// resizes: the far terminal has the size of the slave's, and gets a new one with it.
func resizes(c *cell) mark {
	c.Helper()
	term, p := atTerminal(c.T, c.place, c.slave.host, c.script(`
		size() { until test "$(stty size)" = "$*"; do sleep 0.05; done; }
		size 24 80 # the place may set it a moment after the command has begun
		rm -f listens resized
		{
			until stty -a | grep -q -- -icanon; do sleep 0.05; done; touch listens # raw mode comes last of what ssh sets up
			size 31 97; touch resized                                              # ssh has been told, then
		} </dev/tty &
		ssh -tt $host 'stty size; echo $TERM; echo ready; read x; stty size; test -n "$x" || until test "$(stty size)" = "31 97"; do sleep 0.05; done; echo "changed $x"; read x; exit 4'`))
	// The slave may have put its terminal into raw mode by then, or not yet. This side of it tells nothing: where it
	// is lent to a container it has been raw from the start.
	require.Contains(c, strings.ReplaceAll(term.Expect(c, "ready"), "\r", ""), "24 80\nxterm\n")
	is := func(file string) func() bool {
		return func() bool { return bash(c.T, c.place, c.slave.host, c.script("test -e "+file), nil).Code == 0 }
	}
	eventually(c, is("listens"), "the slave's terminal never became raw")
	term.Resize(c, 31, 97)
	eventually(c, is("resized"), "the slave's terminal has its old size")
	result := mark{}
	if c.apart() {
		// It tells by a signal to a process that it cannot reach.
		term.Type(c, "typed\r")
		require.Contains(c, strings.ReplaceAll(term.Expect(c, "changed typed"), "\r", ""), "24 80\n")
		result.text = "the size is right at the start, changes do not come through"
	} else {
		term.Type(c, "\r")
		term.Expect(c, "changed ")
	}
	term.Type(c, "\r")
	term.Expect(c, "Shared connection to "+c.server.host+" closed.")
	require.Equal(c, 4, p.Wait(c))
	return result
}

// atTerminal starts a script on a host at a terminal with somebody at it.
func atTerminal(t *testing.T, p place, host, script string) (*Terminal, *Process) {
	t.Helper()
	term := newTerminal(t)
	p.lend(t, term.path)
	return term, term.Start(t, nil, p.command(host, on{tty: true}, "bash", "-c", script)...)
}
