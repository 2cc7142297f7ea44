package compat

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A place is where the hosts of the matrix are: containers, or network namespaces with a Debian system each. Both have
// the hosts that docker-compose.yml names, and each of them runs its compat-tests/containers/serve or nothing.
type place interface {
	// what says which kind of place it is, for a reader of the table.
	what() string
	// command is the command line on this machine that runs args on a host: as root, or as the user whose login the
	// matrix is about. With tty it must be started on a terminal, which is the command's terminal there.
	command(host string, o on, args ...string) []string
	// lend makes a terminal of this machine the user's, for a command with tty, where it does not become theirs by itself.
	lend(t *testing.T, path string)
	// log is all that the host's server has logged so far.
	log(t *testing.T, host string) string

	cut(t *testing.T, host string)    // takes the host off the network outside
	mend(t *testing.T, host string)   // puts it back
	pause(t *testing.T, host string)  // stops all of its processes: it is there, and nobody home
	resume(t *testing.T, host string) // lets them go on
	kill(t *testing.T, host string)   // ends them all at once
	start(t *testing.T, host string)  // starts a host that was killed, with what its disk held
}

// on is how a command runs on a host.
type on struct {
	root, tty, stdin bool
}

// ask runs a command on a host as the user and wants its output.
func ask(t *testing.T, p place, host string, args ...string) string {
	t.Helper()
	r := run(t, Command{Args: p.command(host, on{}, args...)})
	require.Equal(t, 0, r.Code, "%s: %v: %s%s", host, args, r.Stdout, r.Stderr)
	return strings.TrimSpace(r.Stdout)
}

// bash runs a script on a host as the user, whatever comes of it. There it ends in time too: what gave up here alone
// would go on beside the next script.
func bash(t *testing.T, p place, host, script string, stdin io.Reader) Result {
	t.Helper()
	return run(t, Command{Args: p.command(host, on{stdin: stdin != nil}, "timeout", "60", "bash", "-c", script), Stdin: stdin, Timeout: 3 * patience})
}

// version is that of a Debian package on a host.
func version(t *testing.T, p place, host, name string) string {
	t.Helper()
	return ask(t, p, host, "dpkg-query", "-W", "-f", "${Version}", name)
}
