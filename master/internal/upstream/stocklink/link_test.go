package stocklink_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/stocklink"
)

func TestSessions(t *testing.T) {
	s := startSSHD(t)
	noLeaks(t)
	l := start(t, stocklink.Options{Host: s.host(t)})
	require.Equal(t, ran{"out\n", "err\n", 5}, run(t, l, "echo out; echo err >&2; exit 5", nil))
	require.Equal(t, ran{"in", "", 0}, run(t, l, "cat", strings.NewReader("in")))

	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			require.Equal(t, ran{fmt.Sprintln(i), "", i}, run(t, l, fmt.Sprintf("echo %d; exit %[1]d", i), nil))
		})
	}
	all.Wait()
	require.NoError(t, l.Err())
	pid := l.PID()
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Err(), upstream.ErrClosed)
	require.EqualError(t, l.Err(), "Connection to 127.0.0.1 closed")
	require.False(t, alive(pid))
	_, _, err := l.OpenChannel(within(t), "session", nil)
	require.ErrorIs(t, err, upstream.ErrClosed)
	_, _, err = l.SendRequest(within(t), "keepalive@openssh.com", true, nil)
	require.ErrorIs(t, err, upstream.ErrClosed)
}

func TestTerminalAndSignals(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	l := start(t, stocklink.Options{Host: s.host(t)})
	ch, reqs, err := l.OpenChannel(within(t), "session", nil)
	require.NoError(t, err)
	ok, err := ch.SendRequest("pty-req", true, ssh.Marshal(struct {
		Term       string
		C, R, X, Y uint32
		Modes      string
	}{"xterm", 80, 24, 0, 0, ""}))
	require.NoError(t, err)
	require.True(t, ok)
	// Each line asks for the size anew, and end of file ends it.
	ok, err = ch.SendRequest("exec", true, ssh.Marshal(struct{ C string }{"stty -echo; echo ready; while read x; do stty size; done; exit 3"}))
	require.NoError(t, err)
	require.True(t, ok)
	in, feed := io.Pipe()
	var shown screen
	done := make(chan ran, 1)
	go func() { done <- finish(t, tee{ch, &shown}, reqs, in) }()
	soon(t, "it is ready", func() bool { return strings.Contains(shown.String(), "ready") })
	_, err = feed.Write([]byte("\n"))
	require.NoError(t, err)
	soon(t, "the first size", func() bool { return strings.Contains(shown.String(), "24 80") })
	_, err = ch.SendRequest("window-change", false, ssh.Marshal(struct{ C, R, X, Y uint32 }{132, 50, 0, 0}))
	require.NoError(t, err)
	_, err = feed.Write([]byte("\n"))
	require.NoError(t, err)
	soon(t, "the second size", func() bool { return strings.Contains(shown.String(), "50 132") })
	_, err = feed.Write([]byte{4})
	require.NoError(t, err)
	require.Equal(t, 3, (<-done).status)
	_ = feed.Close()
}

// tee shows what is read of a channel.
type tee struct {
	ssh.Channel
	to io.Writer
}

func (c tee) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	_, _ = c.to.Write(p[:n])
	return n, err
}

func TestMuchDataEachWay(t *testing.T) {
	s := startSSHD(t)
	noLeaks(t)
	l := start(t, stocklink.Options{Host: s.host(t)})
	data := make([]byte, 16<<20)
	_, _ = rand.Read(data)
	sum := sha256.Sum256(data)
	r := run(t, l, "sha256sum", bytes.NewReader(data))
	require.Equal(t, 0, r.status)
	require.True(t, strings.HasPrefix(r.stdout, hex.EncodeToString(sum[:])))

	s.write(t, "data", string(data))
	r = run(t, l, "cat "+filepath.Join(s.dir, "data"), nil)
	require.Equal(t, sum, sha256.Sum256([]byte(r.stdout)))

	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			r := run(t, l, "cat", bytes.NewReader(data[:4<<20]))
			require.True(t, r.stdout == string(data[:4<<20]))
		})
	}
	both.Wait()
}

func TestRefusalsAndGivingUp(t *testing.T) {
	s := startSSHD(t, "MaxSessions 2", "AllowTcpForwarding no")
	noLeaks(t)
	l := start(t, stocklink.Options{Host: s.host(t)})
	var refused *ssh.OpenChannelError
	_, _, err := l.OpenChannel(within(t), "direct-tcpip", direct("127.0.0.1", s.port))
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ssh.Prohibited, refused.Reason)
	for range 2 {
		ch, reqs, err := l.OpenChannel(within(t), "session", nil)
		require.NoError(t, err)
		go ssh.DiscardRequests(reqs)
		defer func() { _ = ch.Close() }()
	}
	_, _, err = l.OpenChannel(within(t), "session", nil)
	require.ErrorAs(t, err, &refused)

	// An open that nobody waits for, and a refused one, do not end the link.
	for range 5 {
		ctx, cancel := context.WithCancel(within(t))
		time := make(chan struct{})
		go func() { cancel(); close(time) }()
		_, _, _ = l.OpenChannel(ctx, "session", nil)
		<-time
	}
	_, err = l.Ping(within(t))
	require.NoError(t, err)
	require.NoError(t, l.Err())
}

// direct is a direct-tcpip channel's data (RFC 4254 section 7.2).
func direct(host string, port int) []byte {
	return ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{host, uint32(port), "127.0.0.1", 65535})
}

func TestGlobalRequests(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	l := start(t, stocklink.Options{Host: s.host(t)})
	for _, name := range []string{"keepalive@openssh.com", "no-more-sessions@openssh.com", "hostkeys-prove-00@openssh.com", "tcpip-forward"} {
		ok, _, err := l.SendRequest(within(t), name, true, nil)
		require.NoError(t, err, name)
		require.False(t, ok, name)
		_, _, err = l.SendRequest(within(t), name, false, nil)
		require.NoError(t, err, name)
	}
	require.Equal(t, "x", run(t, l, "printf x", nil).stdout)
	require.NoError(t, l.Err())
}

func TestCompression(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "LogLevel DEBUG")
	l := start(t, stocklink.Options{Host: s.host(t, "Compression yes")})
	require.Equal(t, "x", run(t, l, "printf x", nil).stdout)
	text := l.Describe(within(t))
	require.Regexp(t, `(?m)^  compression zlib`, text)
	require.Regexp(t, `(?m)^  tcp .*-> 127\.0\.0\.1:`+fmt.Sprint(s.port), text)
	require.Regexp(t, `^Connection information for \S+ pid \d+\r\n`, text)
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		require.NotContains(t, line, "\n")
	}
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	require.NoError(t, err)
	require.Regexp(t, `(?i)compression: zlib|enabling compression`, string(log))
	i := l.Info()
	require.True(t, strings.HasPrefix(i.ServerVersion, "SSH-2.0-OpenSSH"))
	require.NotEmpty(t, i.Algorithms.KeyExchange)
	require.NotEmpty(t, i.Algorithms.Read.Cipher)
	require.NotZero(t, i.BytesIn)
	require.False(t, l.Unsafe())
}

func TestWhatNoLinkOfOursCanDo(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "Ciphers aes256-cbc", "KexAlgorithms diffie-hellman-group18-sha512")
	h := s.host(t, "Ciphers aes256-cbc", "KexAlgorithms diffie-hellman-group18-sha512")
	l := start(t, stocklink.Options{Host: h})
	require.Equal(t, "x", run(t, l, "printf x", nil).stdout)
	require.Equal(t, "diffie-hellman-group18-sha512", l.Info().Algorithms.KeyExchange)
}
