package compat

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lazily is a master that has not dialled yet, and a server that asks for a code.
func lazily(codes ...string) circumstances {
	return circumstances{
		Serve: []string{"-codes", strings.Join(codes, ","), "-shell", "."}, Options: []string{"-o", "LazyConnect=yes"},
	}
}

// The first who comes makes the master dial. On a terminal he is asked, once; those who come meanwhile, and have none,
// are not, and share the login.
func TestLazyConnect(t *testing.T) {
	ourFaulty(t, "it dials first", lazily("161803"), func(t *testing.T, f *faulty) {
		require.Empty(t, f.events(t, "connect"))
		require.Equal(t, f.PID(), f.CheckPID(t))
		before := f.rested(t)

		term := newTerminal(t)
		asleep := term.State(t)
		first := term.Start(t, nil, f.SSH(Target, "echo in; exit 4")...)
		shown := term.Expect(t, "One-time code: ")
		eventually(t, func() bool { return strings.Contains(term.State(t).Modes, "-echo ") }, "the code would be shown")
		others := f.many(10, "echo shared")
		// The first has brought more than five, and each of the others its socket and two pipes; /dev/null is not kept.
		eventually(t, func() bool { return resources(t, f.PID()).Descriptors >= before.Descriptors+35 }, "the others never came")
		term.Type(t, "161803\n")
		shown += term.Expect(t, "in\r\n")
		require.Equal(t, 4, first.Wait(t))
		allAre(t, Result{Stdout: "shared\n"}, others)

		require.Equal(t, 1, strings.Count(shown, "One-time code"), shown)
		require.NotContains(t, shown, "161803")
		require.Equal(t, asleep, term.State(t))
		require.Equal(t, 1, f.logins(t))
		require.Equal(t, Result{Stdout: "later\n"}, f.Session(t, "echo later"))
		f.nobodyFellBack(t)
	})
}

// Without a terminal nobody can be asked: that is said at once.
func TestLazyConnectWithoutTerminal(t *testing.T) {
	ourFaulty(t, "it dials first", lazily("161803"), func(t *testing.T, f *faulty) {
		begin := time.Now()
		// Not even the terminal from which the tests were started.
		r := run(t, Command{Args: append([]string{program(t, "setsid"), "-w"}, f.SSH(Target, "true")...)})
		t.Logf("after %v: %s", time.Since(begin).Round(time.Millisecond), r.Stderr)
		require.Equal(t, 255, r.Code)
		require.Empty(t, r.Stdout)
		require.Regexp(t, `(?i)terminal|code|keyboard-interactive|second factor`, r.Stderr)
		require.Zero(t, f.logins(t))
		// It is no fault of the master's, and the next one is asked.
		term := newTerminal(t)
		first := term.Start(t, nil, f.SSH(Target, "echo in; exit 4")...)
		term.Expect(t, "One-time code: ")
		term.Type(t, "161803\n")
		term.Expect(t, "in\r\n")
		require.Equal(t, 4, first.Wait(t))
	})
}

// An ssh in BatchMode is not asked, though it has a terminal.
func TestLazyConnectInBatchMode(t *testing.T) {
	ourFaulty(t, "it dials first", lazily("161803"), func(t *testing.T, f *faulty) {
		term := newTerminal(t)
		first := term.Start(t, nil, f.SSH("-oBatchMode=yes", Target, "true")...)
		require.NotContains(t, term.Expect(t, "this ssh runs in BatchMode"), "One-time code")
		require.Equal(t, 255, first.Wait(t))
		require.Zero(t, f.logins(t))
	})
}

// Without a question to ask anybody can make the master dial.
func TestLazyConnectOfMany(t *testing.T) {
	c := circumstances{Options: []string{"-o", "LazyConnect=yes"}, Server: []string{"MaxSessions 40"}}
	ourFaulty(t, "it dials first", c, func(t *testing.T, f *faulty) {
		require.Zero(t, f.Server.Logins())
		allAre(t, Result{Stdout: "in\n", Code: 4}, f.many(20, "echo in; exit 4"))
		require.Equal(t, 1, f.logins(t))
		f.nobodyFellBack(t)
	})
}
