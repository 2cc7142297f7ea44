package compat

import (
	"bufio"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	// slow is a network on which bulk takes what a keystroke needs, in bytes a second.
	slow = 5 << 20
	// bulk is when a stream is no longer anything else.
	bulk = 8 << 20
)

// bulkStream is a session that moves bytes as fast as it can.
type bulkStream struct {
	place string // its connection, as the server sees it
	moved atomic.Int64
}

// stream starts one: the command's output flows, or its input does.
func (f *faulty) stream(t testing.TB, command string, upload bool) *bulkStream {
	t.Helper()
	c := f.held(t, `echo "$SSH_CONNECTION"; `+command)
	b, from := &bulkStream{}, bufio.NewReader(c.out)
	place, err := from.ReadString('\n')
	require.NoError(t, err)
	b.place = strings.TrimSpace(place)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if upload {
			_, _ = io.Copy(counting{c.in, &b.moved}, newNoise(1<<40))
			return
		}
		_, _ = io.Copy(counting{io.Discard, &b.moved}, from)
	}()
	t.Cleanup(func() {
		_, _ = c.in.Close(), c.out.Close()
		<-done
	})
	return b
}

// counting is a writer whose bytes are counted.
type counting struct {
	io.Writer
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// A terminal is not put onto the connection on which a bulk stream fills every queue; sessions that nobody types into may
// be. With stock it must wait behind the stream.
func TestTerminalBesideBulk(t *testing.T) {
	for name, b := range map[string]struct {
		command string
		upload  bool
	}{"upload": {"cat >/dev/null", true}, "download": {"exec cat /dev/zero", false}} {
		t.Run(name, func(t *testing.T) {
			eachFaulty(t, circumstances{Terminals: true}, func(t *testing.T, f *faulty) {
				f.Relay.Narrow(t, slow)
				stream := f.stream(t, b.command, b.upload)
				eventually(t, func() bool { return stream.moved.Load() > bulk }, "the stream does not flow")
				term := newTerminal(t)
				term.Start(t, nil, f.SSH("-t", Target, `echo "at $SSH_CONNECTION."; echo ready; cat`)...)
				term.Expect(t, "at ")
				place := strings.TrimSuffix(term.Expect(t, "."+"\r\n"), ".\r\n")
				term.Ready(t)
				before := stream.moved.Load()
				term.Type(t, "key\r")
				term.Expect(t, "key\r\nkey\r\n")
				eventually(t, func() bool { return stream.moved.Load() > before }, "the stream has stopped")
				if f.Kind == Stock {
					require.Equal(t, stream.place, place)
					return
				}
				require.NotEqual(t, stream.place, place, "on the connection of the stream")
				require.Equal(t, 2, f.logins(t))
				f.nobodyFellBack(t)
				// A second terminal is in good company there.
				require.Contains(t, run(t, Command{Args: f.SSH("-tt", Target, `echo "$SSH_CONNECTION"`)}).Stdout, place)
				require.Equal(t, 2, f.logins(t))
			})
		})
	}
}
