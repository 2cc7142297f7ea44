package main // a program has no other inside to test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// start runs serve and returns its address and its input.
func start(t *testing.T, ctx context.Context, args ...string) (address string, stdin io.Closer, ended <-chan error) {
	t.Helper()
	in, input := io.Pipe()
	output, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, args, in, out)
		out.Close()
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(strings.TrimPrefix(line, "listening ")), input, done
}

func TestServe(t *testing.T) {
	for mode, args := range map[string][]string{"plain": nil, "idle": {"-idle"}, "shell": {"-shell", t.TempDir()}} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			address, stdin, ended := start(t, t.Context(), append(args, "-dir", dir)...)
			key, err := os.ReadFile(filepath.Join(dir, "client_key"))
			require.NoError(t, err)
			signer, err := ssh.ParsePrivateKey(key)
			require.NoError(t, err)
			known, err := os.ReadFile(filepath.Join(dir, "known_hosts"))
			require.NoError(t, err)
			_, _, host, _, _, err := ssh.ParseKnownHosts(known)
			require.NoError(t, err)
			client, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
				User: "demo", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(host),
			})
			require.NoError(t, err)
			session, err := client.NewSession()
			require.NoError(t, err)
			session.Stdin = strings.NewReader("hello")
			out, err := session.Output("cat")
			require.NoError(t, err)
			require.Equal(t, "hello", string(out))
			stdin.Close()
			require.NoError(t, <-ended)
			_, err = net.Dial("tcp", address)
			require.Error(t, err)
			client.Close()
		})
	}
}

func TestCodesAreGoodOnce(t *testing.T) {
	dir := t.TempDir()
	address, stdin, ended := start(t, t.Context(), "-dir", dir, "-codes", "1111,2222")
	key, err := os.ReadFile(filepath.Join(dir, "client_key"))
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(key)
	require.NoError(t, err)
	login := func(code string) error {
		client, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
			User: "demo", HostKeyCallback: ssh.InsecureIgnoreHostKey(),
			Auth: []ssh.AuthMethod{ssh.PublicKeys(signer), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
				require.Equal(t, []string{"One-time code: "}, questions)
				return []string{code}, nil
			})},
		})
		if err == nil {
			client.Close()
		}
		return err
	}
	require.NoError(t, login("2222"))
	require.Error(t, login("2222"))
	require.NoError(t, login("1111"))
	require.Error(t, login("3333"))
	stdin.Close()
	require.NoError(t, <-ended)
}

func TestLog(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	address, stdin, ended := start(t, t.Context(), "-dir", dir, "-log", log)
	nc, err := net.Dial("tcp", address)
	require.NoError(t, err)
	nc.Close()
	require.Eventually(t, func() bool { // the server may not have accepted it yet
		words, err := os.ReadFile(log)
		return err == nil && string(words) == "1.0 connect\n1.0 disconnect\n"
	}, 10*time.Second, time.Millisecond)
	stdin.Close()
	require.NoError(t, <-ended)
	_, stdin, ended = start(t, t.Context(), "-dir", dir, "-log", log)
	stdin.Close()
	require.NoError(t, <-ended)
}

func TestEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, ended := start(t, ctx, "-dir", t.TempDir())
	cancel()
	require.NoError(t, <-ended)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"-dir", "x", "y"}, {"-dir", "/nonexistent"}, {"-dir", t.TempDir(), "-listen", "nonsense"}, {"-dir", t.TempDir(), "-log", "/nonexistent/log"}} {
		require.Error(t, run(t.Context(), args, strings.NewReader(""), io.Discard))
	}
	require.True(t, errors.Is(run(t.Context(), []string{"-h"}, nil, io.Discard), flag.ErrHelp))
}
