package control_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// What recorded slaves send to their sessions, and what these answer.
const (
	golden      = "golden in\n"
	goldenOut   = "golden out\n"
	goldenError = "golden error\n"
)

// goldenHost is a host for one replay. A session reads a line, writes to both
// of its outputs, and ends as the one of the recording did.
func goldenHost(t *testing.T, r *replay) *sshtest.Server {
	host := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		if _, ok := s.Start(); !ok {
			return
		}
		line, _ := bufio.NewReader(s).ReadString('\n')
		if strings.TrimSpace(line) != strings.TrimSpace(golden) && line != "" {
			fmt.Fprintf(s.Stderr(), "input is %q", line)
		}
		io.WriteString(s.Stderr(), goldenError)
		io.WriteString(s, goldenOut)
		if status, ok := r.status(t); ok {
			s.Exit(status)
		} else {
			s.ExitSignal("KILL", "")
		}
	}))
	for name, refused := range map[string]string{
		"refused": "session", "tty-refused": "pty-req", "subsystem-refused": "subsystem", "stdio-refused": "direct-tcpip",
	} {
		if r.name == name {
			host.Refuse(refused)
		}
	}
	return host
}

// status is that of the recorded session, if it had any.
func (r *replay) status(t *testing.T) (uint32, bool) {
	for _, e := range r.events {
		if e.from == "<" && e.kind == "frame" {
			m, err := muxproto.DecodeReply(e.frame(t)[4:])
			if x, ok := m.(*muxproto.ExitMessage); ok && err == nil {
				return x.Status, true
			}
		}
	}
	return 0, false
}

// hostSaw is what a host must see of a session: the requests in OpenSSH's
// order, with what its configuration allows of the slave's environment.
func hostSaw(m *muxproto.NewSession, name string) []string {
	saw := []string{"open session"}
	if m.WantAgent {
		saw = append(saw, "auth-agent-req@openssh.com")
	}
	refused := ""
	if strings.HasSuffix(name, "-refused") {
		refused = " refused"
	}
	if m.WantTTY {
		size := "0x0" // of a pipe
		if name == "tty" || name == "tty-shell" {
			size = "80x24"
		}
		saw = append(saw, "pty-req "+m.Term+" "+size+refused)
	}
	for _, e := range m.Env {
		if strings.HasPrefix(e, "CT_") {
			saw = append(saw, "env "+e)
		}
	}
	switch {
	case m.Subsystem:
		return append(saw, "subsystem "+m.Command+refused)
	case m.Command == "":
		return append(saw, "shell")
	default:
		return append(saw, "exec "+m.Command)
	}
}

// withoutEnd leaves out how the channel ended.
func withoutEnd(events []string) []string {
	var rest []string
	for _, e := range events {
		if e != "eof" && e != "close" {
			rest = append(rest, e)
		}
	}
	return rest
}

// A detour leads connections from the host to the places of the recordings to a
// place of the test.
type detour struct {
	session.Opener
	target string // a unix socket that echoes
}

// OpenChannel asks for the same kind of connection.
func (d *detour) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	switch name {
	case "direct-tcpip":
		var to struct {
			Host   string
			Port   uint32
			Origin string
			From   uint32
		}
		if err := ssh.Unmarshal(extra, &to); err != nil {
			return nil, nil, err
		}
		if to.Port != 61022 || (to.Host != "127.0.0.1" && to.Host != "::1") {
			return d.Opener.OpenChannel(ctx, name, extra)
		}
	case "direct-streamlocal@openssh.com":
		if !strings.Contains(string(extra), "/tmp/golden-echo") {
			return nil, nil, fmt.Errorf("to %q", extra)
		}
	default:
		return d.Opener.OpenChannel(ctx, name, extra)
	}
	there := ssh.Marshal(struct {
		Path, Reserved string
		Port           uint32
	}{d.target, "", 0})
	return d.Opener.OpenChannel(ctx, "direct-streamlocal@openssh.com", there)
}

// goldenTarget answers like a session to whoever connects.
func goldenTarget(t *testing.T) string {
	path := shortDir(t) + "/t"
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if line, _ := bufio.NewReader(c).ReadString('\n'); line == golden {
				io.WriteString(c, goldenOut)
			}
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return path
}

// goldenForwards keeps forwards as OpenSSH does, and opens none.
type goldenForwards struct {
	mu   sync.Mutex
	open []muxproto.Forward
}

// Open refuses what is in use.
func (g *goldenForwards) Open(_ context.Context, _ control.Wish, f muxproto.Forward) (uint32, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, other := range append(g.open, muxproto.Forward{Type: f.Type, ListenPort: 61099}) {
		if other == f || other.Type != f.Type || other.ListenPort != f.ListenPort || f.ListenPort == 0 || f.ListenPort == muxproto.PortStreamLocal {
			continue
		}
		if f.Type == muxproto.ForwardRemote {
			return 0, fmt.Errorf("remote port forwarding failed for listen port %d", f.ListenPort)
		}
		return 0, errors.New("Port forwarding failed")
	}
	g.open = append(g.open, f)
	if f.Type == muxproto.ForwardRemote && f.ListenPort == 0 {
		return 40000, nil
	}
	return 0, nil
}

// Cancel knows what was opened.
func (g *goldenForwards) Cancel(_ context.Context, f muxproto.Forward) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.open {
		if other == f {
			g.open = append(g.open[:i], g.open[i+1:]...)
			return nil
		}
	}
	return errors.New("port not forwarded")
}

// Exists makes no difference to answers.
func (g *goldenForwards) Exists(muxproto.Forward) bool { return false }
