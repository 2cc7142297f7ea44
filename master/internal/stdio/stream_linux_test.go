package stdio_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sshmaster/master/internal/stdio"
)

func TestRead(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		buf := make([]byte, 100)
		for _, text := range []string{"a", "second", "third time"} {
			p.far.write(t, text)
			n, err := p.stream.Read(buf)
			require.NoError(t, err)
			require.Equal(t, text, string(buf[:n]))
		}
	})
}

// TestReadWaits has the reader wait before the bytes come, each time.
func TestReadWaits(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		pool := stdio.NewPool(100)
		got := make(chan string)
		go func() {
			defer close(got)
			for range 5 {
				buf, err := p.stream.ReadPooled(pool)
				if err != nil {
					return
				}
				got <- string(buf.Bytes())
				buf.Release()
			}
		}()
		for _, text := range []string{"1", "22", "333", "4444", "55555"} {
			awaitReader(t)
			p.far.write(t, text)
			require.Equal(t, text, <-got)
		}
		<-got
	})
}

func TestWrite(t *testing.T) {
	eachShape(t, true, func(t *testing.T, p passed) {
		for _, text := range []string{"a", "second", "third time"} {
			n, err := p.stream.WriteString(text)
			require.NoError(t, err)
			require.Equal(t, len(text), n)
			requireBytes(t, p.far.fd, text)
		}
	})
}

// TestWriteAgainstSlowReader moves more than any buffer holds.
func TestWriteAgainstSlowReader(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10)
	eachShape(t, true, func(t *testing.T, p passed) {
		failed := make(chan error, 1)
		go func() {
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 32<<10-1)
				if _, err := p.stream.Write(rest[:n]); err != nil {
					failed <- err
					return
				}
				rest = rest[n:]
			}
			failed <- nil
		}()
		sum, left := sha256.New(), len(data)
		for left > 0 {
			part := readSome(t, p.far.fd)
			sum.Write([]byte(part))
			left -= len(part)
		}
		require.NoError(t, <-failed)
		want := sha256.Sum256(data)
		require.Equal(t, want[:], sum.Sum(nil))
	})
}

func TestEnd(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		p.near.close() // or the far end of a pipe would not be the last one
		p.far.write(t, "last")
		if !p.stream.IsTerminal() { // a terminal that goes away takes its input along
			p.far.close()
		}
		buf := make([]byte, 10)
		n, err := p.stream.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "last", string(buf[:n]))
		p.far.close()
		for range 2 {
			n, err = p.stream.Read(buf)
			require.Zero(t, n)
			require.Equal(t, io.EOF, err)
		}
		b, err := p.stream.ReadPooled(stdio.NewPool(10))
		require.Nil(t, b)
		require.Equal(t, io.EOF, err)
	})
}

// TestEndWakes has the end come while the reader waits.
func TestEndWakes(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		result := make(chan error, 1)
		go func() {
			_, err := p.stream.Read(make([]byte, 10))
			result <- err
		}()
		awaitReader(t)
		p.far.close()
		require.Equal(t, io.EOF, <-result)
	})
}

// TestReaderLeft also shows that SIGPIPE does not matter: the test goes on.
func TestReaderLeft(t *testing.T) {
	eachShape(t, true, func(t *testing.T, p passed) {
		p.far.close()
		var err error
		for range 3 { // TCP learns of it from the answer to the first write
			_, err = p.stream.WriteString("x")
		}
		switch {
		case p.stream.IsTerminal():
			require.ErrorIs(t, err, unix.EIO)
		case errors.Is(err, unix.ECONNRESET):
		default:
			require.ErrorIs(t, err, unix.EPIPE)
		}
	})
}

// TestReaderLeavesWaitingWriter has the reader leave while the writer waits.
func TestReaderLeavesWaitingWriter(t *testing.T) {
	eachShape(t, true, func(t *testing.T, p passed) {
		result := fill(t, p, strings.Repeat("x", 1000))
		p.far.close()
		require.Error(t, <-result)
	})
}

// fill writes text again and again until nothing more is taken. The result
// comes later.
func fill(t *testing.T, p passed, text string) <-chan error {
	t.Helper()
	var written atomic.Int64
	result := make(chan error, 1)
	go func() {
		for {
			if _, err := p.stream.WriteString(text); err != nil {
				result <- err
				return
			}
			written.Add(1)
		}
	}()
	seen, calm := int64(0), 0
	eventually(t, "a waiting writer", func() bool {
		calm++
		if n := written.Load(); n != seen || n == 0 {
			seen, calm = n, 0
		}
		return calm >= 10 && waitingIn("stdio.(*Stream).Write(", "[IO wait")+waitingIn("stdio.(*lender).run", "[syscall") > 0
	})
	return result
}

// TestCloseUnblocksRead is the promise about the user's next keystroke: it
// reaches whoever reads next, whole.
func TestCloseUnblocksRead(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		result := make(chan error, 2)
		go func() {
			_, err := p.stream.Read(make([]byte, 100))
			result <- err
		}()
		awaitReader(t)
		require.NoError(t, p.stream.Close())
		require.Equal(t, os.ErrClosed, <-result)

		p.far.write(t, "the next keystroke")
		requireBytes(t, p.near.fd, "the next keystroke")

		_, err := p.stream.Read(make([]byte, 100))
		require.Equal(t, os.ErrClosed, err)
		_, err = p.stream.ReadPooled(stdio.NewPool(1))
		require.Equal(t, os.ErrClosed, err)
		_, err = p.stream.WriteString("x")
		require.Equal(t, os.ErrClosed, err)
		require.Equal(t, os.ErrClosed, p.stream.Control(func(int) {}))
		require.NoError(t, p.stream.Close())
		require.False(t, p.stream.Stuck())
	})
}

// TestCloseWithUnreadInput closes while bytes are there that nobody asked for.
func TestCloseWithUnreadInput(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		p.far.write(t, "typed ahead")
		require.NoError(t, p.stream.Close())
		requireBytes(t, p.near.fd, "typed ahead")
	})
}

// TestCloseUnblocksWrite closes towards a reader that stopped.
func TestCloseUnblocksWrite(t *testing.T) {
	eachShape(t, true, func(t *testing.T, p passed) {
		result := fill(t, p, strings.Repeat("x", 1000))
		require.NoError(t, p.stream.Close())
		require.Equal(t, os.ErrClosed, <-result)
		drain(t, p.stream, p.far)
	})
}

// drain reads until the terminal has taken what a call that was left behind
// still writes.
func drain(t *testing.T, s *stdio.Stream, far *end) {
	t.Helper()
	eventually(t, "no call left behind", func() bool {
		fds := []unix.PollFd{{Fd: int32(far.fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds, 0); n > 0 {
			unix.Read(far.fd, make([]byte, 64<<10))
		}
		return !s.Stuck()
	})
}

// TestCloseRaces closes at any moment while bytes flow. What was not read by
// then is there for the next reader, in order.
func TestCloseRaces(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		p.far.write(t, "0123456789")
		read := make(chan string)
		go func() {
			var got []byte
			for {
				var b [1]byte
				n, err := p.stream.Read(b[:])
				got = append(got, b[:n]...)
				if err != nil {
					read <- string(got)
					return
				}
			}
		}()
		require.NoError(t, p.stream.Close())
		first := <-read
		p.far.write(t, ".")
		second := ""
		for !strings.HasSuffix(second, ".") {
			second += readSome(t, p.near.fd)
		}
		if !strings.Contains(t.Name(), "packets") { // a packet is read whole or cut
			require.Equal(t, "0123456789.", first+second)
		}
	})
}

// TestFlagsStay compares what the description says before, during and after.
func TestFlagsStay(t *testing.T) {
	for _, output := range []bool{false, true} {
		for _, shape := range shapes {
			t.Run(shape.name, func(t *testing.T) {
				p := shape.make(t, output)
				before := flagsOf(t, p.near.fd)
				require.Equal(t, strings.Contains(shape.name, "nonblocking"), before&unix.O_NONBLOCK != 0)
				if output {
					fill(t, p, strings.Repeat("x", 1000))
				} else {
					go p.stream.Read(make([]byte, 10))
					awaitReader(t)
				}
				require.Equal(t, before, flagsOf(t, p.near.fd))
				require.NoError(t, p.stream.Close())
				require.Equal(t, before, flagsOf(t, p.near.fd))
				p.far.close() // frees a writer that was left behind
				eventually(t, "no call left behind", func() bool { return !p.stream.Stuck() })
			})
		}
	}
}

// TestFlagsFlipped has another holder of the description change O_NONBLOCK
// while the stream is in use.
func TestFlagsFlipped(t *testing.T) {
	eachShape(t, false, func(t *testing.T, p passed) {
		flip := func() { setNonblock(t, p.near.fd, flagsOf(t, p.near.fd)&unix.O_NONBLOCK == 0) }
		lines := make(chan string)
		go func() {
			defer close(lines)
			buf := make([]byte, 100)
			for {
				n, err := p.stream.Read(buf)
				if err != nil {
					return
				}
				lines <- string(buf[:n])
			}
		}()
		for range 4 {
			flip()
			awaitReader(t)
			flip()
			flip()
			p.far.write(t, "x")
			require.Equal(t, "x", <-lines)
		}
		awaitReader(t)
		setNonblock(t, p.near.fd, false)
		require.NoError(t, p.stream.Close())
		_, more := <-lines
		require.False(t, more)
		p.far.write(t, "mine")
		requireBytes(t, p.near.fd, "mine")
	})
}

// TestFlagsFlippedWriter is the same for a writer whose reader stopped.
func TestFlagsFlippedWriter(t *testing.T) {
	eachShape(t, true, func(t *testing.T, p passed) {
		result := fill(t, p, strings.Repeat("x", 1000))
		setNonblock(t, p.near.fd, flagsOf(t, p.near.fd)&unix.O_NONBLOCK == 0)
		readSome(t, p.far.fd)
		require.NoError(t, p.stream.Close())
		require.Equal(t, os.ErrClosed, <-result)
		p.far.close()
		eventually(t, "no call left behind", func() bool { return !p.stream.Stuck() })
	})
}
