package upstream_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
)

// patience bounds waits for what must happen.
const patience = 20 * time.Second

// TestMain lets this binary stand in for the programs a ProxyCommand runs.
func TestMain(m *testing.M) {
	switch os.Getenv("UPSTREAM_TEST_PROXY") {
	case "":
		// The runtime's poller takes descriptors at its first use, which the
		// first test that counts them must not find.
		if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
			_ = l.Close()
		}
		os.Exit(m.Run())
	case "relay":
		relayStdio(os.Args[1])
	case "pass":
		passConnection(os.Args[1])
	}
}

// relayStdio connects standard input and output with addr.
func relayStdio(addr string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(nc, os.Stdin)
		_ = nc.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(os.Stdout, nc)
}

// passConnection connects to addr and passes the connection over standard
// output.
func passConnection(addr string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		os.Exit(1)
	}
	f, err := nc.(*net.TCPConn).File()
	if err != nil {
		os.Exit(1)
	}
	if syscall.Sendmsg(1, []byte{0}, syscall.UnixRights(int(f.Fd())), nil, 0) != nil {
		os.Exit(1)
	}
}

// trust accepts one host key.
type trust struct {
	key   ssh.PublicKey
	check func(ctx context.Context) error // runs first

	algorithms []string
}

func (v trust) Algorithms(context.Context) ([]string, error) { return v.algorithms, nil }

func (v trust) Check(ctx context.Context, _ net.Addr, key ssh.PublicKey) error {
	if v.check != nil {
		if err := v.check(ctx); err != nil {
			return err
		}
	}
	return ssh.FixedHostKey(v.key)("", nil, key)
}

// signer authenticates with one key.
type signer struct {
	ssh.Signer
	closed chan struct{}
}

func (s signer) AuthCallback(context.Context) ssh.ClientAuthCallback {
	tried := false
	return func(*ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		if tried {
			return nil, nil
		}
		tried = true
		return ssh.PublicKeys(s.Signer), nil
	}
}

func (s signer) Explain(err error) error { return &explained{err} }

func (s signer) Close() error {
	if s.closed != nil {
		close(s.closed)
	}
	return nil
}

type explained struct{ error }

func (e *explained) Unwrap() error { return e.error }

// optionsAt are what it takes to log in to a server reached at addr.
func optionsAt(t *testing.T, srv *sshtest.Server, addr string) upstream.Options {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return upstream.Options{
		Host: &hostconfig.Host{
			HostName: host, Port: number, User: "demo", ConnectionAttempts: 1, TCPKeepAlive: true,
			ServerAliveCountMax: 3, LogLevel: "INFO", IPQoS: hostconfig.IPQoS{Interactive: 0x10, Bulk: 0x08},
		},
		Env:           os.Environ(),
		Verifier:      trust{key: srv.HostKey()},
		Authenticator: signer{Signer: srv.ClientSigner()},
	}
}

// dial logs in for as long as the test runs.
func dial(t *testing.T, o upstream.Options) *upstream.Link {
	t.Helper()
	l, err := upstream.Dial(within(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// within is a context for what must happen soon.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// serverSide is the server's end of its only connection, which it knows of a
// little later than the client.
func serverSide(t *testing.T, srv *sshtest.Server) *sshtest.Conn {
	t.Helper()
	soon(t, "the server has a connection", func() bool { return len(srv.Conns()) == 1 })
	return srv.Conns()[0]
}

// echo is a session that sends back what it gets.
func echo(s *sshtest.Session) {
	_, _ = io.Copy(s, s)
	s.Exit(0)
}

// session opens a channel whose requests are read.
func session(t *testing.T, l *upstream.Link) ssh.Channel {
	t.Helper()
	ch, reqs, err := l.OpenChannel(within(t), "session", nil)
	require.NoError(t, err)
	go ssh.DiscardRequests(reqs)
	go func() { _, _ = io.Copy(io.Discard, ch.Stderr()) }()
	return ch
}

// ended waits for a link's end and returns why.
func ended(t *testing.T, l *upstream.Link) error {
	t.Helper()
	select {
	case <-l.Done():
	case <-time.After(patience):
		require.FailNow(t, "the link did not end")
	}
	return l.Err()
}

// soon waits until a condition holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, time.Millisecond, what)
}

// A screen collects what is shown to a person.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
