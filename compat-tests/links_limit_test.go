package compat

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// crowd is how many sessions come at once, and what each does; as many as users do where COMPAT_LONG is set.
func crowd() (n int, command string) {
	if long() {
		return 50, "sleep 2"
	}
	return 30, "sleep 0.3"
}

// A server that allows two sessions on a connection gets a few more connections, and nobody sees the refusal.
func TestMoreSessionsThanALinkHolds(t *testing.T) {
	c := circumstances{Server: []string{"MaxSessions 2"}, Options: []string{"-o", "HoldTimeout=2m"}}
	ourFaulty(t, "it refuses them", c, func(t *testing.T, f *faulty) {
		allAre(t, Result{}, f.many(crowd()))
		require.LessOrEqual(t, f.logins(t), 4, "MaxLinks")
		require.Greater(t, f.logins(t), 1)
		f.nobodyFellBack(t)
		links := f.logins(t)
		allAre(t, Result{}, f.many(links*2, "true"))
		f.nobodyFellBack(t)
	})
}

func TestMoreSessionsThanStockHolds(t *testing.T) {
	stockSuffers(t, circumstances{Server: []string{"MaxSessions 2"}}, func(t *testing.T, f *faulty) {
		refused := 0
		for o := range f.many(10, "sleep 0.5") {
			require.NoError(t, o.err)
			if strings.Contains(o.Stderr, "Session open refused by peer") {
				refused++
			}
		}
		require.NotZero(t, refused)
		require.Equal(t, refused, f.trap.caught())
	})
}

// MaxLinks bounds the connections; who finds no room waits for it.
func TestMaxLinks(t *testing.T) {
	c := circumstances{Server: []string{"MaxSessions 2"}, Options: []string{"-o", "MaxLinks=2", "-o", "HoldTimeout=2m"}}
	ourFaulty(t, "it has no such option", c, func(t *testing.T, f *faulty) {
		allAre(t, Result{}, f.many(12, "sleep 0.3"))
		require.Equal(t, 2, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// Where a login needs a person, no connection is added: who finds no room waits for it.
func TestSecondFactorQueues(t *testing.T) {
	c := circumstances{
		Serve: []string{"-codes", "161803,141421", "-max-sessions", "2", "-shell", "."}, NotStarted: true,
		Options: []string{"-o", "HoldTimeout=5m"},
	}
	ourFaulty(t, "it refuses them", c, func(t *testing.T, f *faulty) {
		f.startAsked(t, "161803")
		allAre(t, Result{}, f.many(crowd()))
		require.Equal(t, 1, f.logins(t))
		f.nobodyFellBack(t)
	})
}

// startAsked starts the master in the background from a terminal, where it asks for the code. The terminal goes with
// the test.
func (f *faulty) startAsked(t testing.TB, code string) {
	t.Helper()
	term := newTerminal(t)
	line := f.Command(append(append([]string{"-M", "-N", "-f", "-E", f.LogFile}, f.setup.Options...), Target)...)
	term.Start(t, nil, append([]string{"sh", "-c", `"$@"; echo "code $?"; read line`, "sh"}, line...)...)
	term.Expect(t, "One-time code: ")
	eventually(t, func() bool { return strings.Contains(term.State(t).Modes, "-echo ") }, "the code would be shown")
	term.Type(t, code+"\n")
	term.Expect(t, "code 0")
	f.adopt(t)
	t.Cleanup(func() { f.report(t) })
}

// A command that goes on when its client was killed counts at the host, which says that the session has ended: the next one
// gets another connection. Where that cannot be, it waits.
func TestWhatGoesOnAfterAKill(t *testing.T) {
	for name, options := range map[string][]string{"another connection": nil, "none": {"-o", "MaxLinks=1", "-o", "HoldTimeout=1m"}} {
		t.Run(name, func(t *testing.T) {
			c := circumstances{Server: []string{"MaxSessions 1"}, Options: options}
			ourFaulty(t, "it refuses the next one", c, func(t *testing.T, f *faulty) {
				begun := filepath.Join(f.Dir, "begun")
				command := f.SSH(Target, fmt.Sprintf("touch %s; exec sleep 5 <&- >&- 2>&-", begun))
				killed := start(t, Command{Args: command}.prepare(t.Context()))
				eventually(t, func() bool { return exists(begun) }, "it has not begun")
				killed.Signal(t, syscall.SIGKILL)
				killed.Wait(t)
				require.Equal(t, Result{Stdout: "next\n", Code: 4}, f.Session(t, "echo next; exit 4"))
				f.nobodyFellBack(t)
				if options == nil {
					require.Equal(t, 2, f.logins(t))
				}
			})
		})
	}
}
