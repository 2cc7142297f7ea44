package upstream_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
)

// failing dials and returns the error that Dial must end in.
func failing(t *testing.T, ctx context.Context, o upstream.Options) *upstream.DialError {
	t.Helper()
	_, err := upstream.Dial(ctx, o)
	var failed *upstream.DialError
	require.ErrorAs(t, err, &failed)
	require.NotContains(t, failed.Error(), "\n")
	return failed
}

// listener accepts connections and hands them to serve.
func listener(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(nc); _ = nc.Close() })
		}
	})
	return l.Addr().String()
}

// mute reads and never says a word.
func mute(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }

func TestLogIn(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(echo))
	o := optionsAt(t, srv, srv.Addr())
	closed := make(chan struct{})
	o.Authenticator = signer{srv.ClientSigner(), closed}
	o.Version = "1.2"
	l := dial(t, o)
	<-closed

	require.NoError(t, l.Err())
	require.Equal(t, "SSH-2.0-sshmaster_1.2", serverSide(t, srv).ClientVersion())
	ch := session(t, l)
	_, err := ch.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, ch.CloseWrite())
	back, err := io.ReadAll(ch)
	require.NoError(t, err)
	require.Equal(t, "hello", string(back))

	info := l.Info()
	require.Equal(t, srv.Addr(), info.Remote.String())
	require.False(t, info.Proxied)
	require.Equal(t, "SSH-2.0-sshmaster_1.2", info.ClientVersion)
	require.NotEmpty(t, info.Algorithms.KeyExchange)
	require.NotEmpty(t, info.Algorithms.Write.Cipher)
	require.NotZero(t, info.BytesIn)
	require.NotZero(t, info.BytesOut)
	require.NotZero(t, info.PacketsOut)
	require.Equal(t, "demo", l.User())
	require.NotEmpty(t, l.SessionID())
	require.NoError(t, l.SetInteractive(true))
	require.NoError(t, l.SetInteractive(false))
}

func TestNothingListens(t *testing.T) {
	srv := sshtest.NewServer(t)
	require.NoError(t, srv.StopListening())
	o := optionsAt(t, srv, srv.Addr())
	err := failing(t, t.Context(), o)
	require.Equal(t, upstream.Reached, err.Stage)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Regexp(t, `^ssh: connect to host 127\.0\.0\.1 port \d+: Connection refused`, err.Error())
}

func TestUnknownName(t *testing.T) {
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Host.HostName = "no-such-host.invalid"
	o.Host.ConnectionAttempts = 100 // a name that does not resolve is tried once
	err := failing(t, within(t), o)
	require.Equal(t, upstream.Reached, err.Stage)
	require.Contains(t, err.Error(), "ssh: Could not resolve hostname no-such-host.invalid: ")
}

// opener is a log that opens a port at the first failed attempt.
type opener struct {
	slog.Handler
	once sync.Once
	open func()
}

func (o *opener) Enabled(context.Context, slog.Level) bool { return true }

func (o *opener) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "connection attempt failed" {
		o.once.Do(o.open)
	}
	return nil
}

func TestConnectionAttempts(t *testing.T) {
	t.Parallel()
	srv := sshtest.NewServer(t)
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := hole.Addr().String()
	require.NoError(t, hole.Close())
	o := optionsAt(t, srv, addr)
	o.Host.ConnectionAttempts = 2
	o.Log = slog.New(&opener{Handler: slog.DiscardHandler, open: func() {
		again, err := net.Listen("tcp", addr)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = again.Close() })
		go func() {
			nc, err := again.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", srv.Addr())
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(to, nc); _ = to.Close() }()
			_, _ = io.Copy(nc, to)
			_ = nc.Close()
		}()
	}})
	dial(t, o)
}

func TestSilentBanner(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, listener(t, mute))
	o.Host.ConnectTimeout = 300 * time.Millisecond
	err := failing(t, t.Context(), o)
	require.Equal(t, upstream.Greeted, err.Stage)
	require.Contains(t, err.Error(), "Connection timed out during banner exchange")
}

func TestSilentKeyExchange(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, listener(t, func(nc net.Conn) {
		_, _ = nc.Write([]byte("SSH-2.0-silent\r\n"))
		mute(nc)
	}))
	o.Host.ServerAliveInterval, o.Host.ServerAliveCountMax = 20*time.Millisecond, 3
	err := failing(t, t.Context(), o)
	require.Equal(t, upstream.Keyed, err.Stage)
	require.Contains(t, err.Error(), "Connection timed out during key exchange")
}

func TestConnectTimeoutWaitsForPeople(t *testing.T) {
	t.Parallel()
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Host.ConnectTimeout = 2 * time.Second
	o.Verifier = trust{key: srv.HostKey(), check: func(context.Context) error {
		time.Sleep(o.Host.ConnectTimeout + 100*time.Millisecond) // a person thinks
		return nil
	}}
	dial(t, o)
}

func TestCancelled(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := optionsAt(t, srv, listener(t, func(nc net.Conn) { cancel(); mute(nc) }))
	err := failing(t, ctx, o)
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	o = optionsAt(t, srv, srv.Addr())
	o.Verifier = trust{key: srv.HostKey(), check: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	err = failing(t, ctx, o)
	require.ErrorIs(t, err, context.Canceled)
}

func TestNotAnSSHServer(t *testing.T) {
	srv := sshtest.NewServer(t)
	err := failing(t, within(t), optionsAt(t, srv, listener(t, func(net.Conn) {})))
	require.Equal(t, upstream.Greeted, err.Stage)
	require.Regexp(t, `^Connection (closed|reset) by 127\.0\.0\.1 port \d+ before its greeting`, err.Error())

	err = failing(t, within(t), optionsAt(t, srv, listener(t, func(nc net.Conn) {
		_, _ = nc.Write(make([]byte, 1000))
		mute(nc)
	})))
	require.Equal(t, upstream.Greeted, err.Stage)
	require.Contains(t, err.Error(), "not an SSH server")
}

func TestNoCommonAlgorithm(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Configure(func(c *ssh.ServerConfig) {
		c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
	}))
	o := optionsAt(t, srv, srv.Addr())
	o.Host.KexAlgorithms = []string{"sntrup761x25519-sha512@openssh.com", "curve25519-sha256"}
	err := failing(t, within(t), o)
	require.Equal(t, upstream.Keyed, err.Stage)
	require.Contains(t, err.Error(), "no matching key exchange method found. Their offer: diffie-hellman-group14-sha1; ours: curve25519-sha256,curve25519-sha256@libssh.org (to allow it: -o KexAlgorithms=+diffie-hellman-group14-sha1)")
}

func TestNoCommonCipherOrHostKey(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Configure(func(c *ssh.ServerConfig) { c.Ciphers = []string{"aes128-ctr"} }))
	o := optionsAt(t, srv, srv.Addr())
	o.Host.Ciphers = []string{"aes256-gcm@openssh.com"}
	require.Contains(t, failing(t, within(t), o).Error(), "no matching cipher found. Their offer: aes128-ctr; ours: aes256-gcm@openssh.com (to allow it: -o Ciphers=+aes128-ctr)")

	o.Host.Ciphers = nil
	o.Verifier = trust{key: srv.HostKey(), algorithms: []string{"rsa-sha2-512", "sk-ssh-ed25519@openssh.com"}}
	require.Contains(t, failing(t, within(t), o).Error(), "no matching host key type found. Their offer: ssh-ed25519; ours: rsa-sha2-512,sk-ssh-ed25519@openssh.com (to allow it: -o HostKeyAlgorithms=+ssh-ed25519)")
}

func TestAlgorithmsNotImplemented(t *testing.T) {
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Host.Ciphers = []string{"aes256-cbc", "rijndael-cbc@lysator.liu.se"}
	err := failing(t, t.Context(), o)
	require.Equal(t, upstream.Configured, err.Stage)
	require.Contains(t, err.Error(), "Ciphers: none of aes256-cbc,rijndael-cbc@lysator.liu.se is implemented here")

	o.Host.Ciphers, o.Host.MACs = []string{"aes128-ctr"}, []string{"umac-64@openssh.com"}
	err = failing(t, t.Context(), o)
	require.Contains(t, err.Error(), "MACs: none of umac-64@openssh.com")

	o.Host.Ciphers = []string{"aes128-ctr", "aes256-gcm@openssh.com"}
	require.Equal(t, "aes256-gcm@openssh.com", dial(t, o).Info().Algorithms.Write.Cipher)
}

func TestCipherOrder(t *testing.T) {
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	stock := []string{"chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}
	o.Host.Ciphers = stock
	require.Equal(t, "aes128-gcm@openssh.com", dial(t, o).Info().Algorithms.Write.Cipher)
	o.Host.Ciphers = stock[:2]
	require.Equal(t, "chacha20-poly1305@openssh.com", dial(t, o).Info().Algorithms.Write.Cipher)
}

func TestHostKeyRefused(t *testing.T) {
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Verifier = trust{key: srv.HostKey(), check: func(context.Context) error { return errors.New("never seen") }}
	err := failing(t, within(t), o)
	require.Equal(t, upstream.Verified, err.Stage)
	require.Equal(t, "Host key verification failed: never seen", err.Error())
}

func TestKeyRefused(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	stranger := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Authenticator = signer{Signer: stranger.ClientSigner()}
	err := failing(t, within(t), o)
	require.Equal(t, upstream.Authenticated, err.Stage)
	var words *explained
	require.ErrorAs(t, err, &words)
}

func TestBanner(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Configure(func(c *ssh.ServerConfig) {
		c.BannerCallback = func(ssh.ConnMetadata) string { return "wel\x1b[31mcome\x07\r\n\tall\xff\u009b\u202e\n" }
	}))
	o := optionsAt(t, srv, srv.Addr())
	shown := &screen{}
	o.Stderr = shown
	dial(t, o)
	require.Equal(t, "wel[31mcome\n\tall?\n", shown.String())

	quiet := &screen{}
	o.Stderr, o.Host.LogLevel = quiet, "ERROR"
	dial(t, o)
	require.Empty(t, quiet.String())
}

func TestBind(t *testing.T) {
	srv := sshtest.NewServer(t)
	o := optionsAt(t, srv, srv.Addr())
	o.Host.BindAddress, o.Host.AddressFamily = "localhost", "inet"
	require.IsType(t, &net.TCPAddr{}, dial(t, o).Info().Local)

	o.Host.BindAddress, o.Host.BindInterface = "", loopback(t)
	dial(t, o)

	o.Host.BindInterface = "no-such-interface"
	require.Contains(t, failing(t, within(t), o).Error(), "BindInterface no-such-interface")
}

// loopback is the name of the loopback interface.
func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Name
		}
	}
	require.FailNow(t, "no loopback interface")
	return ""
}

func TestNoHost(t *testing.T) {
	err := failing(t, t.Context(), upstream.Options{})
	require.Equal(t, upstream.Configured, err.Stage)
}
