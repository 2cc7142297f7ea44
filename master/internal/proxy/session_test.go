package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
)

func TestCommand(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	s := session(t, c)
	s.Setenv("LANG", "C")
	s.Stdin = strings.NewReader("hello")
	out, err := s.Output("cat")
	require.NoError(t, err)
	require.Equal(t, "hello", string(out))

	s = session(t, c)
	var stderr bytes.Buffer
	s.Stderr = &stderr
	require.NoError(t, s.Run("warn trouble"))
	require.Equal(t, "trouble\n", stderr.String())

	var exit *ssh.ExitError
	require.ErrorAs(t, session(t, c).Run("exit 7"), &exit)
	require.Equal(t, 7, exit.ExitStatus())
	require.ErrorAs(t, session(t, c).Run("nonsense"), &exit)
	require.Equal(t, 127, exit.ExitStatus())

	require.Equal(t, []string{"open session", "env LANG=C", "exec cat", "eof", "close"}, m.host.Log().Channel(1))
	m.idle(t)
}

func TestRealShell(t *testing.T) {
	m := newMaster(t, sshtest.RealShell(t.TempDir()))
	c := m.client(t)

	s := session(t, c)
	require.NoError(t, s.RequestPty("vt100", 40, 132, ssh.TerminalModes{ssh.ECHO: 0}))
	out, err := s.Output("stty size; echo $TERM; tty >/dev/null && echo a tty")
	require.NoError(t, err)
	require.Equal(t, "40 132\r\nvt100\r\na tty\r\n", string(out))

	s = session(t, c)
	in, err := s.StdinPipe()
	require.NoError(t, err)
	output, err := s.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.RequestPty("vt100", 24, 80, nil))
	require.NoError(t, s.Shell())
	require.NoError(t, s.WindowChange(50, 100))
	io.WriteString(in, "PS1=; while [ \"$(stty size)\" != '50 100' ]; do :; done; echo resi''zed; exit 3\n")
	shown, err := io.ReadAll(output)
	require.NoError(t, err)
	require.Contains(t, string(shown), "resized")
	var exit *ssh.ExitError
	require.ErrorAs(t, s.Wait(), &exit)
	require.Equal(t, 3, exit.ExitStatus())
}

func TestSignalAndExitSignal(t *testing.T) {
	m := newMaster(t, sshtest.RealShell(t.TempDir()))
	s := session(t, m.client(t))
	out, err := s.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.Start("echo ready; sleep 1000"))
	ready := make([]byte, 6)
	_, err = io.ReadFull(out, ready)
	require.NoError(t, err)
	require.NoError(t, s.Signal(ssh.SIGTERM))
	var exit *ssh.ExitError
	require.ErrorAs(t, s.Wait(), &exit)
	require.Equal(t, "TERM", exit.Signal())
}

func TestRefusedRequests(t *testing.T) {
	m := newMaster(t)
	m.host.Refuse("pty-req", "subsystem")
	c := m.client(t)
	s := session(t, c)
	require.Error(t, s.RequestPty("vt100", 24, 80, nil))
	require.Error(t, s.RequestSubsystem("none"))
	out, err := s.Output("echo still here")
	require.NoError(t, err)
	require.Equal(t, "still here\n", string(out))
	m.host.Refuse("session")
	_, err = c.NewSession()
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	_, err = c.NewSession()
	require.ErrorAs(t, err, &refused)
	c.Close()
	require.NoError(t, <-m.ends)
	m.host.Accept("session")
	m.alive(t)
	m.idle(t)
}

// Requests without an answer keep their place among those with one.
func TestRequestsInOrder(t *testing.T) {
	m := newMaster(t)
	s := session(t, m.client(t))
	var want []string
	want = append(want, "open session")
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		ok, err := s.SendRequest("env", name > "B", ssh.Marshal(struct{ Name, Value string }{name, "1"}))
		require.NoError(t, err)
		require.Equal(t, name > "B", ok)
		want = append(want, "env "+name+"=1")
	}
	require.NoError(t, s.Run("exit 0"))
	require.Equal(t, append(want, "exec exit 0"), m.host.Log().Channel(1)[:len(want)+1])
}

// What the host asks on a channel reaches the slave, but for keepalives.
func TestHostRequests(t *testing.T) {
	answers := make(chan bool, 3)
	m := newMaster(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		for _, name := range []string{"keepalive@openssh.com", "yes@example", "no@example"} {
			ok, err := s.SendRequest(name, true, []byte("payload"))
			answers <- ok && err == nil
		}
		s.SendRequest("eow@openssh.com", false, nil)
		s.ExitStatus(5)
		s.Close() // without EOF
	}))
	ch, reqs, err := m.client(t).OpenChannel("session", nil)
	require.NoError(t, err)
	ok, err := ch.SendRequest("shell", true, nil)
	require.NoError(t, err)
	require.True(t, ok)
	var seen []string
	for r := range reqs {
		seen = append(seen, r.Type)
		if r.WantReply {
			require.Equal(t, "payload", string(r.Payload))
			r.Reply(r.Type == "yes@example", nil)
		}
	}
	require.Equal(t, []string{"yes@example", "no@example", "eow@openssh.com", "exit-status"}, seen)
	require.Equal(t, []bool{false, true, false}, []bool{<-answers, <-answers, <-answers})
	_, err = ch.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	ch.Close()
	m.idle(t)
}

// A host that says nothing but CLOSE.
func TestCloseWithoutStatus(t *testing.T) {
	m := newMaster(t, sshtest.Handle(func(s *sshtest.Session) { s.Start() }))
	err := session(t, m.client(t)).Run("anything")
	var missing *ssh.ExitMissingError
	require.ErrorAs(t, err, &missing)
}

// A host that answers exec only when the command has ended, as simple servers do.
func TestLateAnswer(t *testing.T) {
	m := newMaster(t, sshtest.Handle(func(s *sshtest.Session) { io.Copy(s, s); s.Start(); s.Exit(0) }))
	release := m.host.Hold("exec")
	ch, reqs, err := m.client(t).OpenChannel("session", nil)
	require.NoError(t, err)
	go ssh.DiscardRequests(reqs)
	answered := make(chan bool)
	go func() {
		ok, _ := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"x"}))
		answered <- ok
	}()
	m.host.Log().Await(t, "exec x")
	_, err = io.WriteString(ch, "input")
	require.NoError(t, err)
	require.NoError(t, ch.CloseWrite())
	out, err := io.ReadAll(io.LimitReader(ch, 5))
	require.NoError(t, err)
	require.Equal(t, "input", string(out))
	release()
	require.True(t, <-answered)
	ch.Close()
}

// A signal reaches a program that reads nothing of what it was sent.
func TestSignalOvertakesStuckData(t *testing.T) {
	m := newMaster(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		for {
			if r, ok := s.Next(); !ok || r.Name == "signal" {
				break
			}
		}
		s.Exit(9)
	}))
	s := session(t, m.client(t))
	s.Stdin = zeroes{}
	require.NoError(t, s.Start("stuck"))
	require.Eventually(t, func() bool { return s.Signal(ssh.SIGKILL) == nil }, patience, tick)
	var exit *ssh.ExitError
	err := s.Wait()
	require.True(t, errors.As(err, &exit), "%v", err)
	require.Equal(t, 9, exit.ExitStatus())
}

// zeroes never end.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { return len(p), nil }
