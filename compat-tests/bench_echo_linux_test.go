package compat

import (
	"os"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/term"

	"sshmaster/muxproto"
)

// echoContests type beside a bulk stream over the narrow link, and wait for each echo before the next keystroke.
func echoContests() []contest {
	const on = ": 5 MB/s, 100 ms round trip, a queue of 256 kB"
	return []contest{
		echoContest("echo-upload", "a keystroke's echo beside an upload, on the same connection"+on, goal{due: 0.5, aim: 0.45}, openTypist, startUpload),
		echoContest("echo-download", "the same beside a download", goal{}, openTypist, startDownload),
		echoContest("echo-tty-upload", "the same on a terminal, which may have a connection of its own, beside an upload", goal{}, openTerminal, startUpload),
		echoContest("echo-tty-download", "the same beside a download", goal{}, openTerminal, startDownload),
	}
}

// startUpload sends for as long as anybody takes it.
func startUpload(b testing.TB, m *Master) *muxproto.Session {
	r, w := blockingPipe(b)
	f := null(b)
	s := lightStart(b, m, muxproto.NewSession{Command: "cat >/dev/null"}, r, f, f)
	require.NoError(b, r.Close())
	go func() {
		for block := make([]byte, 64<<10); ; {
			if _, err := w.Write(block); err != nil {
				return // the master let go of the other end
			}
		}
	}()
	return s
}

func startDownload(b testing.TB, m *Master) *muxproto.Session {
	f := null(b)
	return lightStart(b, m, muxproto.NewSession{Command: "exec cat /dev/zero"}, f, f, f)
}

// fill is how long the bulk stream has the link to itself, until every queue is as full as it gets.
const fill = 1500 * time.Millisecond

func echoContest(name, what string, g goal, sit func(testing.TB, *Master) *typist, bulk func(testing.TB, *Master) *muxproto.Session) contest {
	g.metric, g.unit = "echo", "ms"
	return contest{
		name: name, what: what, goals: []goal{g}, rounds: benchRounds, slow: g.due == 0,
		prepare: func(b testing.TB, kind Kind) func() reading {
			m := delayed(b, kind, narrow)
			return func() reading {
				stream := bulk(b, m)
				time.Sleep(fill)
				typist := sit(b, m)
				defer typist.leave(b)
				typist.key(b)
				var echoes []float64
				for range choose(10, 5) {
					echoes = append(echoes, milliseconds(typist.key(b)))
				}
				require.NoError(b, stream.Close())
				drain(b, typist)
				return reading{"echo": median(echoes)}
			}
		},
	}
}

// drain waits until the link is empty again: until a keystroke takes little more than a round trip.
func drain(b testing.TB, t *typist) {
	for deadline := soon(); t.key(b) > 3*narrow.delay; {
		require.True(b, time.Now().Before(deadline), "the link stays full")
	}
}

// typist is a session of cat on a remote pipe that gets single bytes.
type typist struct {
	session *muxproto.Session
	in, out *os.File
	end     string // what ends the session, if closing its input does not
}

func openTypist(b testing.TB, m *Master) *typist {
	stdin, in := blockingPipe(b)
	out, stdout := blockingPipe(b)
	t := &typist{session: lightStart(b, m, muxproto.NewSession{Command: "exec cat"}, stdin, stdout, stdout), in: in, out: out}
	require.NoError(b, stdin.Close())
	require.NoError(b, stdout.Close())
	return t
}

// openTerminal is a typist at a raw terminal, as ssh makes it: the echo is the remote terminal's own.
func openTerminal(b testing.TB, m *Master) *typist {
	screen, tty, err := pty.Open()
	require.NoError(b, err)
	s := lightStart(b, m, muxproto.NewSession{Command: "exec cat >/dev/null", WantTTY: true}, tty, tty, tty)
	_, err = term.MakeRaw(int(tty.Fd())) // not before: the remote terminal gets the modes that this one had
	require.NoError(b, err)
	require.NoError(b, tty.Close())
	return &typist{session: s, in: screen, out: screen, end: "\n\x04"}
}

// key is the time from a keystroke to its echo.
func (t *typist) key(b testing.TB) time.Duration {
	began := time.Now()
	_, err := t.in.WriteString("k")
	require.NoError(b, err)
	_, err = t.out.Read(make([]byte, 1))
	require.NoError(b, err)
	return time.Since(began)
}

func (t *typist) leave(b testing.TB) {
	if t.end == "" {
		require.NoError(b, t.in.Close())
	} else {
		_, err := t.in.WriteString(t.end)
		require.NoError(b, err)
	}
	lightEnd(b, t.session)
	require.NoError(b, t.out.Close())
}
