package sshtest_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sshmaster/master/internal/sshtest"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// client is a logged-in x/crypto client, which is quicker to write tests with than a Link.
func client(t *testing.T, srv *sshtest.Server) *ssh.Client {
	t.Helper()
	c, err := ssh.Dial("tcp", srv.Addr(), srv.ClientConfig())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func session(t *testing.T, c *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := c.NewSession()
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestCommandsAndRecord(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	c := client(t, srv)
	s := session(t, c)
	require.NoError(t, s.Setenv("LANG", "C"))
	require.NoError(t, s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}))
	out, err := s.Output("tty")
	require.NoError(t, err)
	require.Equal(t, "xterm 80x24\n", string(out))

	srv.Log().Await(t, "close")
	require.Equal(t, []string{"open session", "env LANG=C", "pty-req xterm 80x24", "exec tty", "eof", "close"}, srv.Log().Channel(1))
	c.Close()
	srv.Log().Await(t, "disconnect")
	require.Equal(t, []string{"connect", "auth none refused", "auth publickey", "login demo", "disconnect"}, srv.Log().Channel(0))
	require.Equal(t, sshtest.Counts{Connections: 1, Logins: 1, Channels: 1}, srv.Counts())
}

func TestExitStatus(t *testing.T) {
	srv := sshtest.NewServer(t)
	c := client(t, srv)
	for command, status := range map[string]int{"exit 7": 7, "exit 255": 255, "nonsense": 127} {
		var exit *ssh.ExitError
		require.ErrorAs(t, session(t, c).Run(command), &exit)
		require.Equal(t, status, exit.ExitStatus())
	}
	s := session(t, c)
	s.Stdin = strings.NewReader("four")
	out, err := s.Output("count")
	require.NoError(t, err)
	require.Equal(t, "4\n", string(out))
	out, err = session(t, c).Output("yes 100001")
	require.NoError(t, err)
	require.Len(t, out, 100001)
}

// TestScriptedEnds checks each way in which a handler may end a session.
func TestScriptedEnds(t *testing.T) {
	late := make(chan struct{})
	endings := map[string]func(*sshtest.Session){
		"nothing": func(s *sshtest.Session) { s.Close() },
		"signal":  func(s *sshtest.Session) { s.ExitSignal("TERM", "killed"); s.CloseWrite(); s.Close() },
		"twice":   func(s *sshtest.Session) { s.ExitStatus(3); s.Exit(4) },
		"late":    func(s *sshtest.Session) { s.CloseWrite(); <-late; s.ExitStatus(5); s.Close() },
		"early":   func(s *sshtest.Session) { s.ExitStatus(6); <-late; s.Write([]byte("more")); s.CloseWrite(); s.Close() },
	}
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		if start, ok := s.Start(); ok {
			endings[start.Text()](s)
		}
	}))
	c := client(t, srv)
	var missing *ssh.ExitMissingError
	require.ErrorAs(t, session(t, c).Run("nothing"), &missing)
	var exit *ssh.ExitError
	require.ErrorAs(t, session(t, c).Run("signal"), &exit)
	require.Equal(t, "TERM", exit.Signal())
	require.ErrorAs(t, session(t, c).Run("twice"), &exit)
	require.Equal(t, 4, exit.ExitStatus())

	s := session(t, c)
	out, err := s.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.Start("late"))
	_, err = io.ReadAll(out)
	require.NoError(t, err, "EOF comes before the status")
	early := session(t, c)
	text, err := early.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, early.Start("early"))
	close(late)
	require.ErrorAs(t, s.Wait(), &exit)
	require.Equal(t, 5, exit.ExitStatus())
	all, err := io.ReadAll(text)
	require.NoError(t, err)
	require.Equal(t, "more", string(all))
	require.ErrorAs(t, early.Wait(), &exit)
	require.Equal(t, 6, exit.ExitStatus())
}

func TestRefusals(t *testing.T) {
	srv := sshtest.NewServer(t)
	srv.Refuse("pty-req", "exec", "subsystem")
	c := client(t, srv)
	s := session(t, c)
	require.Error(t, s.RequestPty("xterm", 24, 80, nil))
	require.Error(t, s.Start("cat"))
	require.Error(t, s.RequestSubsystem("sftp"))
	srv.Accept("exec")
	require.NoError(t, s.Start("cat"))
	s.Close()
	srv.Log().Await(t, "close")
	require.Equal(t, []string{
		"open session", "pty-req xterm 80x24 refused", "exec cat refused", "subsystem sftp refused", "exec cat", "eof", "close",
	}, srv.Log().Channel(1))

	srv.Refuse("session")
	_, err := c.NewSession()
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	_, _, err = c.OpenChannel("nonsense", nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, []string{"open session", "open session refused", "open nonsense refused"}, srv.Log().Kinds(sshtest.KindOpen))
}

func TestSecondStartIsRefused(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := srv.Link(t, nil)
	ch, reqs, err := link.OpenChannel(t.Context(), "session", nil)
	require.NoError(t, err)
	go ssh.DiscardRequests(reqs)
	for _, want := range []bool{true, false} {
		ok, err := ch.SendRequest("shell", true, nil)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	ok, err := ch.SendRequest("exec", true, []byte("x"))
	require.NoError(t, err)
	require.False(t, ok, "malformed")
}

// TestHold checks that a held answer holds its own channel alone, and in order.
func TestHold(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	release := srv.Hold("exec")
	c := client(t, srv)
	held := session(t, c)
	done := make(chan error, 1)
	go func() { done <- held.Run("exit 0") }()
	srv.Log().Await(t, "exec exit 0")
	require.NoError(t, session(t, c).Setenv("A", "B"), "another channel")
	require.Empty(t, done)
	release()
	release()
	require.NoError(t, <-done)
	require.NoError(t, session(t, c).Run("exit 0"), "released for good")

	open := srv.Hold("session")
	ctx, cancel := context.WithCancel(t.Context())
	link := srv.Link(t, nil)
	go func() {
		_, _, err := link.OpenChannel(ctx, "session", nil)
		done <- err
	}()
	srv.Log().AwaitN(t, 4, "open session")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	open()
	srv.Log().AwaitN(t, 3, "close")
}

func TestMaxSessions(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.MaxSessions(2))
	c := client(t, srv)
	second := session(t, c)
	session(t, c)
	_, err := c.NewSession()
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ssh.ConnectionFailed, refused.Reason)
	require.Equal(t, "open failed", refused.Message)
	for range 50 {
		require.NoError(t, second.Run("exit 0"))
		second = session(t, c)
	}
}

func TestStartWithin(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.StartWithin(20*time.Millisecond))
	c := client(t, srv)
	started := session(t, c)
	in, err := started.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, started.Start("cat"))
	session(t, c)
	require.Equal(t, 2, srv.Log().Await(t, "close").Channel)
	require.NoError(t, in.Close())
	require.NoError(t, started.Wait())
}

func TestServerSpeaksFirst(t *testing.T) {
	got := make(chan bool, 1)
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		ok, _ := s.SendRequest("keepalive@openssh.com", true, nil)
		got <- ok
		agent, err := s.Conn.OpenChannel("auth-agent@openssh.com", nil)
		if err == nil {
			io.Copy(s, agent)
			agent.Close()
		}
		s.Exit(0)
	}))
	link := srv.Link(t, map[string]func(ssh.NewChannel){"auth-agent@openssh.com": func(wish ssh.NewChannel) {
		ch, reqs, err := wish.Accept()
		require.NoError(t, err)
		go ssh.DiscardRequests(reqs)
		io.WriteString(ch, "keys")
		ch.Close()
	}})
	ch, reqs, err := link.OpenChannel(t.Context(), "session", nil)
	require.NoError(t, err)
	go func() {
		for r := range reqs {
			if r.WantReply {
				r.Reply(r.Type == "keepalive@openssh.com", nil)
			}
		}
	}()
	_, err = ch.SendRequest("shell", true, nil)
	require.NoError(t, err)
	out, err := io.ReadAll(ch)
	require.NoError(t, err)
	require.Equal(t, "keys", string(out))
	require.True(t, <-got)
}

func TestGlobalRequests(t *testing.T) {
	srv := sshtest.NewServer(t)
	link := srv.Link(t, nil)
	ok, _, err := link.SendRequest(t.Context(), "keepalive@openssh.com", true, nil)
	require.NoError(t, err)
	require.False(t, ok)
	conn := srv.Conns()[0]
	require.Equal(t, "demo", conn.User())
	signer := srv.ClientSigner() // any key will do
	require.NoError(t, conn.AnnounceHostKeys(signer))
	announced := <-link.Requests()
	require.Equal(t, "hostkeys-00@openssh.com", announced.Type)
	ok, proof, err := link.SendRequest(t.Context(), "hostkeys-prove-00@openssh.com", true, announced.Payload)
	require.NoError(t, err)
	require.True(t, ok)
	require.NotEmpty(t, proof)
	ok, _, err = link.SendRequest(t.Context(), "no-more-sessions@openssh.com", true, nil)
	require.NoError(t, err)
	require.True(t, ok)
	_, _, err = link.OpenChannel(t.Context(), "session", nil)
	require.Error(t, err)
}

func TestOverPipe(t *testing.T) {
	sshtest.NoLeaks(t)
	near, far := sshtest.Pipe(t)
	srv := sshtest.NewServerOn(t, far, sshtest.Version("SSH-2.0-OpenSSH_test"))
	link := srv.LinkOn(t, near, nil)
	require.Equal(t, "SSH-2.0-OpenSSH_test", string(link.ServerVersion()))
	require.NoError(t, link.Err())
	srv.Close()
	<-link.Done()
	require.Error(t, link.Err())
}

func TestSecondFactor(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.SecondFactor("Code: ", func(code string) bool { return code == "123456" }))
	config := srv.ClientConfig()
	config.Auth = append(config.Auth, ssh.KeyboardInteractive(func(_, _ string, questions []string, echo []bool) ([]string, error) {
		require.Equal(t, []string{"Code: "}, questions)
		require.Equal(t, []bool{false}, echo)
		return []string{"123456"}, nil
	}))
	c, err := ssh.Dial("tcp", srv.Addr(), config)
	require.NoError(t, err)
	srv.Log().Await(t, "login demo")
	require.Equal(t, []string{"auth none refused", "auth publickey", "auth keyboard-interactive"}, srv.Log().Kinds(sshtest.KindAuth))
	c.Close()
}

// TestRekey runs traffic over a server that exchanges keys all the time.
func TestRekey(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.Configure(func(c *ssh.ServerConfig) { c.RekeyThreshold = 64 << 10 }))
	out, err := session(t, client(t, srv)).Output("yes 1000000")
	require.NoError(t, err)
	require.Len(t, out, 1000000)
}

func TestStopListening(t *testing.T) {
	srv := sshtest.NewServer(t)
	c := client(t, srv)
	require.NoError(t, srv.StopListening())
	_, err := net.Dial("tcp", srv.Addr())
	require.Error(t, err)
	require.NoError(t, session(t, c).Run("exit 0"))
}

// TestIdle opens many sessions that do nothing, and one that is used.
func TestIdle(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.Handle(sshtest.Idle), sshtest.NoLog())
	c := client(t, srv)
	for range 100 {
		idle := session(t, c)
		_, err := idle.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, idle.Shell())
	}
	s := session(t, c)
	s.Stdin = strings.NewReader("hello")
	out, err := s.Output("")
	require.NoError(t, err)
	require.Equal(t, "hello", string(out))
	require.Empty(t, srv.Log().Events())
	require.GreaterOrEqual(t, srv.Counts().OpenChannels, 100)
}

func TestLogWaitGivesUp(t *testing.T) {
	srv := sshtest.NewServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := srv.Log().Wait(ctx, func([]sshtest.Event) bool { return false })
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
