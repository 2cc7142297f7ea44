package stocklink_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/stocklink"
)

func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(s *sshd, l *stocklink.Link)
		says  string
		cause error
	}{
		"ssh is killed":      {func(_ *sshd, l *stocklink.Link) { _ = syscall.Kill(l.PID(), syscall.SIGKILL) }, `^Connection to 127\.0\.0\.1 lost: its ssh was ended by signal killed$`, upstream.ErrRemoteClosed},
		"ssh is told to end": {func(_ *sshd, l *stocklink.Link) { _ = syscall.Kill(l.PID(), syscall.SIGTERM) }, `^Connection to 127\.0\.0\.1 lost: its ssh ended with exit status 0$`, upstream.ErrRemoteClosed},
		"the host is gone":   {func(s *sshd, _ *stocklink.Link) { s.cut() }, `^Connection to 127\.0\.0\.1 (closed by remote host\.|lost: its ssh ended: .*Broken pipe)$`, upstream.ErrRemoteClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSSHD(t)
			noLeaks(t)
			var shown screen
			l := start(t, stocklink.Options{Host: s.host(t), Log: shown.log()})
			ch, reqs, err := l.OpenChannel(within(t), "session", nil)
			require.NoError(t, err)
			ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ C string }{"sleep 60"}))
			require.NoError(t, err)
			require.True(t, ok)
			c.end(s, l)
			require.Equal(t, -1, finish(t, ch, reqs, nil).status)
			select {
			case <-l.Done():
			case <-within(t).Done():
				require.FailNow(t, "the link goes on")
			}
			require.Regexp(t, c.says, l.Err().Error())
			require.ErrorIs(t, l.Err(), c.cause)
			require.Empty(t, shown.String(), "the reason is told once")
			_, err = l.Ping(within(t))
			require.ErrorIs(t, err, c.cause)
			pid := l.PID()
			require.NoError(t, l.Close())
			require.False(t, alive(pid))
		})
	}
}

// starting starts a link that does not come about.
func starting(t *testing.T, ctx context.Context, h *hostconfig.Host) (shown string, err error) {
	t.Helper()
	noLeaks(t)
	var seen screen
	_, err = stocklink.Start(ctx, stocklink.Options{Host: h, Env: environment(t), Log: seen.log()})
	require.Error(t, err)
	return seen.String(), err
}

func requireStage(t *testing.T, err error, stage upstream.Stage) {
	t.Helper()
	var dial *upstream.DialError
	require.True(t, errors.As(err, &dial))
	require.Equal(t, stage, dial.Stage)
}

func TestPermissionDenied(t *testing.T) {
	s := startSSHD(t)
	h := s.host(t)
	s.newKey(t, "id") // the authorized key is gone
	shown, err := starting(t, within(t), h)
	require.EqualError(t, err, s.user+"@127.0.0.1: Permission denied (publickey).")
	requireStage(t, err, upstream.Authenticated)
	require.Empty(t, shown)
}

func TestUnknownHostKey(t *testing.T) {
	s := startSSHD(t)
	h := s.host(t)
	s.write(t, "known_hosts", "")
	shown, err := starting(t, within(t), h)
	require.EqualError(t, err, "Host key verification failed.")
	requireStage(t, err, upstream.Verified)
	require.Contains(t, shown, "host key is known")
	require.NotContains(t, shown, "debug1")
	require.NotContains(t, shown, `\r`)
}

func TestQuietFailure(t *testing.T) {
	s := startSSHD(t)
	h := s.host(t, "LogLevel QUIET")
	s.newKey(t, "id")
	shown, err := starting(t, within(t), h)
	require.EqualError(t, err, "127.0.0.1: stock ssh ended with exit status 255 before the link was there")
	require.Empty(t, shown)
}

func TestRefusedPort(t *testing.T) {
	s := startSSHD(t)
	h := resolve(t, s.dir, []string{"Host *", "HostName 127.0.0.1", "Port 1"})
	_, err := starting(t, within(t), h)
	require.EqualError(t, err, "ssh: connect to host 127.0.0.1 port 1: Connection refused")
	requireStage(t, err, upstream.Reached)
}

func TestStartIsCalledOff(t *testing.T) {
	s := startSSHD(t)
	h := s.host(t, "ProxyCommand sleep 60")
	ctx, cancel := context.WithCancel(within(t))
	began := make(chan struct{})
	go func() {
		soon(t, "ssh's folder is there", func() bool {
			in, _ := os.ReadDir(runtimeDir(t))
			return len(in) > 0
		})
		cancel()
		close(began)
	}()
	runtimeDir(t)
	shown, err := starting(t, ctx, h)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, shown)
	<-began
}

func TestChangedHostKey(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	h := s.host(t, "StrictHostKeyChecking no")
	known := s.newKey(t, "another")
	s.write(t, "known_hosts", "[127.0.0.1]:"+itoa(s.port)+" "+known)
	var shown screen
	l := start(t, stocklink.Options{Host: h, Log: shown.log()})
	require.True(t, l.Unsafe())
	require.Contains(t, shown.String(), "REMOTE HOST IDENTIFICATION HAS CHANGED")
}

func TestNoSSH(t *testing.T) {
	h, err := hostconfig.Resolve(within(t), hostconfig.Query{SSH: "/nowhere/ssh", Destination: "x", OwnFile: "none", Args: []string{"-F", "none"}})
	require.NoError(t, err)
	_, err = starting(t, within(t), h)
	require.ErrorContains(t, err, "no ssh is installed")
}
