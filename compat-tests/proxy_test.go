package compat

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// transfer is one of two that run at the same time: what it sends comes back.
type transfer func(ctx context.Context, m *Master, stdin io.Reader, stdout io.Writer) error

// TestProxyMoves: two proxy slaves, stock's and that of Go's ssh package, move much each way while eight sessions go on.
// 256 MB, a quarter of it on stock, which takes longer; 1 GB on both where COMPAT_LONG is set.
func TestProxyMoves(t *testing.T) {
	transfers := map[string]transfer{"ssh -O proxy": moveBySSH, "NewControlClientConn": moveByGo}
	forEachMaster(t, Setup{Plain: true, Server: []string{"MaxSessions 40"}}, func(t *testing.T, m *Master) {
		size := map[Kind]int{Stock: 64 << 20, Ours: 256 << 20}[m.Kind]
		if long() {
			size = 1 << 30
		}
		stop := make(chan struct{})
		echoes := startEchoes(t, m, 8, (*echo).pingPong, stop)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		ended := map[string]chan error{}
		for name, move := range transfers {
			ended[name] = make(chan error, 1)
			go func() { ended[name] <- moves(ctx, m, size, move) }()
		}
		for name, end := range ended {
			err := <-end
			stockSlips(t, m)
			require.NoError(t, err, name)
		}
		close(stop)
		for _, e := range echoes {
			<-e.done
			stockSlips(t, m)
			e.ended(t)
			t.Logf("beside: %d KB", e.moved>>10)
		}
	})
}

// stockSlips skips what stock's master up to 9.8 spoils for all: it may close a leaving slave's channel once too often, for
// which the server ends the whole connection.
func stockSlips(t *testing.T, m *Master) {
	if m.Kind == Stock && strings.Contains(read(t, m.Server.LogFile()), "referred to nonexistent channel") {
		t.Skip("stock's master closed a channel twice") // what it did to the others by that is not what is compared
	}
}

// moves sends size bytes and compares the hash of what comes back.
func moves(ctx context.Context, m *Master, size int, move transfer) error {
	sent, got := sha256.New(), sha256.New()
	if err := move(ctx, m, io.TeeReader(newNoise(size), sent), got); err != nil {
		return err
	}
	if a, b := fmt.Sprintf("%x", sent.Sum(nil)), fmt.Sprintf("%x", got.Sum(nil)); a != b {
		return fmt.Errorf("%s was sent and %s came back", a, b)
	}
	return nil
}

func moveBySSH(ctx context.Context, m *Master, stdin io.Reader, stdout io.Writer) error {
	cmd := Command{Args: m.SSH("-O", "proxy", Target, "cat; exit 4"), Stdin: stdin}.prepare(ctx)
	cmd.Stdout = stdout
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		return fmt.Errorf("ended with %w, not with status 4", err)
	}
	return nil
}

func moveByGo(ctx context.Context, m *Master, stdin io.Reader, stdout io.Writer) error {
	// It leaves with the end of ctx, when nobody else goes on: stock up to 9.8 may close a leaving slave's channel once
	// too often, for which the server ends the whole connection.
	client, err := proxyClient(ctx, m.Control)
	if err != nil {
		return err
	}
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	session.Stdin, session.Stdout = stdin, stdout
	var exit *ssh.ExitError
	if err := session.Run("cat; exit 4"); !errors.As(err, &exit) || exit.ExitStatus() != 4 {
		return fmt.Errorf("ended with %w, not with status 4", err)
	}
	return nil
}

// proxyClient attaches to a master as Go programs do.
func proxyClient(ctx context.Context, path string) (*ssh.Client, error) {
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = socket.Close() })
	conn, channels, requests, err := ssh.NewControlClientConn(socket)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// TestProxyGo is what a Go program does with a master: commands, a terminal, and connections to elsewhere.
func TestProxyGo(t *testing.T) {
	forEachMaster(t, Setup{}, func(t *testing.T, m *Master) {
		client, err := proxyClient(t.Context(), m.Control)
		require.NoError(t, err)
		defer client.Close()
		session, err := client.NewSession()
		require.NoError(t, err)
		var stderr strings.Builder
		session.Stderr = &stderr
		out, err := session.Output("echo out; echo err >&2")
		require.NoError(t, err)
		require.Equal(t, "out\n", string(out))
		require.Equal(t, "err\n", stderr.String())
		goTerminal(t, client)
		goEndedBySignal(t, client)
		goConnects(t, client)
	})
}

func goTerminal(t testing.TB, client *ssh.Client) {
	t.Helper()
	session, err := client.NewSession()
	require.NoError(t, err)
	require.NoError(t, session.RequestPty("vt100", 33, 77, ssh.TerminalModes{ssh.ECHO: 0}))
	out, err := session.Output("stty size; echo $TERM")
	require.NoError(t, err)
	require.Equal(t, "33 77\r\nvt100\r\n", string(out))
}

func goEndedBySignal(t testing.TB, client *ssh.Client) {
	t.Helper()
	session, err := client.NewSession()
	require.NoError(t, err)
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Run("kill -TERM $$"), &exit)
	require.Equal(t, "TERM", exit.Signal())
}

func goConnects(t testing.TB, client *ssh.Client) {
	t.Helper()
	conn, err := client.Dial("tcp", echoServer(t))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "there and back\n")
	require.NoError(t, err)
	require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "welcome\nthere and back\nbye\n", string(said))
}

// TestProxyGoLeaves: one that goes with sessions and connections open, and has been refused others, harms nobody and
// leaves nothing behind.
func TestProxyGoLeaves(t *testing.T) {
	onlyOurs(t, "stock ends itself when a slave leaves whose open was refused", Setup{}, func(t *testing.T, m *Master) {
		before := warmUp(t, m)
		client, err := proxyClient(t.Context(), m.Control)
		require.NoError(t, err)
		_, err = client.Dial("tcp", closedPort(t))
		var refused *ssh.OpenChannelError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, ssh.ConnectionFailed, refused.Reason)
		session, err := client.NewSession()
		require.NoError(t, err)
		require.NoError(t, session.Start("sleep 60"))
		_, err = client.Dial("tcp", echoServer(t))
		require.NoError(t, err)
		require.NoError(t, client.Close())
		m.settles(t, before)
		require.Equal(t, Result{Stdout: "served\n"}, m.Session(t, "echo served"))
	})
}

// TestProxyGoListens: a Go program listens at the host.
func TestProxyGoListens(t *testing.T) {
	onlyOurs(t, "stock never answers a request for a forward, and ends the slave at its cancel", Setup{}, func(t *testing.T, m *Master) {
		client, err := proxyClient(t.Context(), m.Control)
		require.NoError(t, err)
		defer client.Close()
		for _, at := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"unix", m.Dir + "/far.sock"}} {
			listener, err := client.Listen(at.network, at.address)
			require.NoError(t, err)
			serveEcho(t, listener)
			require.Equal(t, `"welcome\nthere and back\nbye\n"`, exchange(at.network, listener.Addr().String()))
			require.NoError(t, listener.Close())
		}
	})
}

// TestDifferentialProxy is stock's own proxy slave.
func TestDifferentialProxy(t *testing.T) {
	proxied := func(args ...string) []string { return append([]string{"-O", "proxy"}, args...) }
	through := func(option, target string) func(t *testing.T, m *Master) outcome {
		return func(t *testing.T, m *Master) outcome {
			c := Command{Args: m.SSH(proxied(option, target, Target)...), Stdin: strings.NewReader("there and back\n")}
			return of(run(t, c))
		}
	}
	compare(t, []group{{"sessions", Setup{Server: []string{"MaxSessions 40"}}, []row{
		{name: "command", do: client(proxied(Target, "echo out; echo err >&2; exit 5")...)},
		{name: "much output", do: client(proxied(Target, "seq 1 2000; exit 6")...)},
		{name: "signalled", do: client(proxied(Target, "echo out; kill -TERM $$")...)},
		{name: "no such subsystem", do: client(proxied("-s", Target, "no-such")...)},
		{name: "terminal", do: typed("words\r\x04", proxied("-t", Target, far)...)},
		{name: "terminal, ~.", do: typed("\r~.", proxied("-t", Target, far)...)},
		{name: "terminal, ~B", do: typed("\r~B\r\x04", proxied("-t", Target, far)...)},
		{name: "-W", do: through("-W", echoServer(t))},
		{name: "-W refused", do: through("-W", "127.0.0.1:1")},
	}}})
}
