package compat

import (
	"io"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTop(t *testing.T) {
	onlyOurs(t, "ssh -O has no top", Setup{}, func(t *testing.T, m *Master) {
		session, in, out := heldSession(t, m, "cat")
		go func() { // for as long as the session is there
			for {
				if _, err := in.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}()
		go func() { _, _ = io.Copy(io.Discard, out) }()
		term := newTerminal(t)
		before := term.State(t)
		term.Resize(t, 24, 130)
		top := term.Start(t, []string{"LC_ALL=C.UTF-8"}, m.Command("-O", "top", Target)...)
		term.Expect(t, strconv.Itoa(session.PID()))
		term.Expect(t, "█")
		term.Resize(t, 10, 70)
		term.Expect(t, "OUT/s")
		term.Type(t, "s")
		term.Expect(t, "name)") // only words that changed are drawn
		term.Type(t, "q")
		require.Equal(t, 0, top.Wait(t))
		term.Resize(t, 24, 80)
		require.Equal(t, before, term.State(t))
		require.True(t, session.Running())
	})
}

// The terminal is set back at every end, and graphs are drawn with what it has.
func TestTopEndsBySignal(t *testing.T) {
	onlyOurs(t, "ssh -O has no top", Setup{}, func(t *testing.T, m *Master) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
			term := newTerminal(t)
			before := term.State(t)
			top := term.Start(t, nil, m.Command("-O", "top", Target)...)
			term.Expect(t, Target)
			term.Expect(t, "_")
			top.Signal(t, sig)
			require.Equal(t, 128+int(sig), top.Wait(t))
			term.Expect(t, "\x1b[?1049l") // the screen as it was
			require.Equal(t, before, term.State(t))
		}
	})
}

// Who looks on does not keep a master that has nothing else to do.
func TestTopLetsGo(t *testing.T) {
	onlyOurs(t, "ssh -O has no top", Setup{}, func(t *testing.T, m *Master) {
		session, in, _ := heldSession(t, m, "cat; exit 3")
		term := newTerminal(t)
		top := term.Start(t, nil, m.Command("-O", "top", Target)...)
		term.Expect(t, Target)
		require.Equal(t, 0, m.Ask(t, "stop").Code)
		term.Expect(t, "draining")
		require.NoError(t, in.Close())
		require.Equal(t, 3, session.Wait(t))
		m.Wait(t)
		term.Expect(t, "Control")
		term.Type(t, "\x03")
		require.Equal(t, 0, top.Wait(t))
	})
}

// Without a terminal there is nothing to look at.
func TestTopNeedsATerminal(t *testing.T) {
	onlyOurs(t, "ssh -O has no top", Setup{}, func(t *testing.T, m *Master) {
		r := run(t, Command{Args: m.Command("-O", "top", Target)})
		require.Equal(t, Result{Code: 255, Stderr: "ssh-master: -O top needs a terminal: -O list --json tells a program the same\r\n"}, r)
	})
}
