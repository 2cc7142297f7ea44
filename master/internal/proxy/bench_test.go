package proxy_test

import (
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
)

// proxied is a session through a master, for a benchmark. The host and the slave
// are in this process too.
func proxied(b *testing.B, command string) (in io.WriteCloser, out io.Reader, wait func() error) {
	m := newMaster(b, sshtest.NoLog())
	s := session(b, m.client(b))
	in, _ = s.StdinPipe()
	out, _ = s.StdoutPipe()
	if err := s.Start(command); err != nil {
		b.Fatal(err)
	}
	return in, out, s.Wait
}

const block = 1 << 20

func BenchmarkDownload(b *testing.B) {
	_, out, _ := proxied(b, "yes")
	b.SetBytes(block)
	for b.Loop() {
		io.CopyN(io.Discard, out, block)
	}
}

func BenchmarkUpload(b *testing.B) {
	in, _, wait := proxied(b, "count")
	data := []byte(strings.Repeat("x", block))
	b.SetBytes(block)
	for b.Loop() {
		in.Write(data)
	}
	in.Close()
	wait()
}

// A keystroke and its echo.
func BenchmarkEcho(b *testing.B) {
	in, out, _ := proxied(b, "cat")
	var key [1]byte
	for b.Loop() {
		in.Write(key[:])
		io.ReadFull(out, key[:])
	}
}

// A channel opened and closed.
func BenchmarkSession(b *testing.B) {
	m := newMaster(b, sshtest.NoLog())
	c := m.client(b)
	for b.Loop() {
		ch, reqs, err := c.OpenChannel("session", nil)
		if err != nil {
			b.Fatal(err)
		}
		ch.Close()
		ssh.DiscardRequests(reqs)
	}
}
