package compat

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// long tells whether COMPAT_LONG asks for what takes minutes.
func long() bool { return os.Getenv("COMPAT_LONG") != "" }

// echo is a session of cat, whose every byte is compared with what was sent.
type echo struct {
	session *Process
	in, out *os.File
	seed    byte
	moved   int   // bytes that came back right; to be read when it has ended
	err     error // likewise
	done    chan struct{}
}

// startEchoes starts n of them, each with bytes of its own. What one does until stop is closed is do's affair.
func startEchoes(t testing.TB, m *Master, n int, do func(e *echo, stop <-chan struct{}) error, stop <-chan struct{}) []*echo {
	t.Helper()
	var all []*echo
	for i := range n {
		e := &echo{seed: byte(i), done: make(chan struct{})}
		e.session, e.in, e.out = heldSession(t, m, "cat; exit 3")
		all = append(all, e)
	}
	for _, e := range all {
		go func() {
			defer close(e.done)
			e.err = do(e, stop)
		}()
	}
	return all
}

// ended waits for the end of one that was stopped: all bytes were right and no session suffered.
func (e *echo) ended(t testing.TB) {
	t.Helper()
	<-e.done
	require.NoError(t, e.err)
	require.NotZero(t, e.moved)
	require.Equal(t, 3, e.session.Wait(t))
}

func (e *echo) noise() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{e.seed}) }

// pingPong sends a block and waits for it, again and again.
func (e *echo) pingPong(stop <-chan struct{}) error {
	source := e.noise()
	sent, got := make([]byte, 10_000), make([]byte, 10_000)
	for {
		select {
		case <-stop:
			return e.in.Close()
		default:
		}
		_, _ = source.Read(sent)
		if err := e.in.SetWriteDeadline(soon()); err != nil {
			return err
		}
		if _, err := e.in.Write(sent); err != nil {
			return err
		}
		if err := e.out.SetReadDeadline(soon()); err != nil {
			return err
		}
		if _, err := io.ReadFull(e.out, got); err != nil {
			return fmt.Errorf("after %d bytes: %w", e.moved, err)
		}
		if !bytes.Equal(sent, got) {
			return fmt.Errorf("after %d bytes others came", e.moved)
		}
		e.moved += len(got)
	}
}

// stream sends and reads at the same time, as fast as it goes.
func (e *echo) stream(stop <-chan struct{}) error {
	sent := make(chan int, 1)
	writing := make(chan error, 1)
	go func() {
		n, err := e.send(stop)
		sent <- n
		writing <- err
	}()
	if err := e.compare(); err != nil {
		return err
	}
	if err := <-writing; err != nil {
		return err
	}
	if n := <-sent; n != e.moved {
		return fmt.Errorf("%d bytes were sent and %d came back", n, e.moved)
	}
	return nil
}

func (e *echo) send(stop <-chan struct{}) (n int, err error) {
	source, block := e.noise(), make([]byte, 64<<10)
	for {
		select {
		case <-stop:
			return n, e.in.Close()
		default:
		}
		_, _ = source.Read(block)
		_ = e.in.SetWriteDeadline(soon())
		c, err := e.in.Write(block)
		if n += c; err != nil {
			return n, fmt.Errorf("after %d bytes: %w", n, err)
		}
	}
}

// compare reads to the end. That nothing comes for so long means that the session hangs.
func (e *echo) compare() error {
	source, got, want := e.noise(), make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		_ = e.out.SetReadDeadline(time.Now().Add(patience))
		c, err := e.out.Read(got)
		_, _ = source.Read(want[:c])
		if !bytes.Equal(want[:c], got[:c]) {
			return fmt.Errorf("within %d bytes after %d others came", c, e.moved)
		}
		e.moved += c
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", e.moved, err)
		}
	}
}
