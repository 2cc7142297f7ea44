package compat

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever waits at a terminal is told why, in one line, and then served as if nothing had been.
func TestHeldClientIsTold(t *testing.T) {
	ourFaulty(t, "it holds nobody", circumstances{Terminals: true}, func(t *testing.T, f *faulty) {
		f.crash()
		term := newTerminal(t)
		before := term.State(t)
		client := term.Start(t, nil, f.SSH("-t", Target, "echo in; exit 4")...)
		line := term.Expect(t, "\r\n")
		require.Regexp(t, `(?i)wait|connect|reach`, line)
		require.Contains(t, line, "127.0.0.1", "says for whom")
		f.Server.ListenAgain(t)
		shown := term.Expect(t, "in\r") // which the terminal, not raw yet perhaps, makes \r\n of
		require.LessOrEqual(t, len(shown), len("in\r")+200, "one line, not one for each attempt: %q", shown)
		require.Equal(t, 4, client.Wait(t))
		require.Equal(t, before, term.State(t))
		f.nobodyFellBack(t)
	})
}

// Clients that leave while they are held, by Ctrl-C or by any signal, leave nothing behind and hinder nobody.
func TestHeldClientLeaves(t *testing.T) {
	ourFaulty(t, "it holds nobody", circumstances{}, func(t *testing.T, f *faulty) {
		before := warmUp(t, f.Master)
		f.crash()
		term := newTerminal(t)
		state := term.State(t)
		typist := term.Start(t, nil, f.SSH("-t", Target, "cat")...)
		term.Expect(t, "\r\n") // is told that it waits
		var clients []*Process
		for range 10 {
			clients = append(clients, startClient(t, f.SSH(Target, "true")))
		}
		// Each brings its socket, and the typist four; /dev/null is not kept, and the link is gone.
		eventually(t, func() bool { return resources(t, f.PID()).Descriptors >= before.Descriptors+len(clients)+3 }, "the clients never came")
		term.Type(t, "\x03")
		require.Contains(t, []int{128 + int(syscall.SIGINT), 255}, typist.Wait(t))
		require.Equal(t, state, term.State(t))
		for i, c := range clients {
			c.Signal(t, []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGHUP}[i%3])
			c.Wait(t)
		}
		f.Server.ListenAgain(t)
		require.Equal(t, Result{Stdout: "served\n"}, f.Session(t, "echo served"))
		f.settles(t, before)
		f.nobodyFellBack(t)
	})
}
