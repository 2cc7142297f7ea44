package upstream_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream"
	"sshmaster/muxproto"
)

// stageMaster serves a control socket: it greets and does with a stdio forward
// as it is told.
func stageMaster(t *testing.T, forward func(m *muxproto.Conn, req *muxproto.NewStdioForward)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "up")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "ctl")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				m := muxproto.NewConn(nc.(*net.UnixConn))
				defer func() { _ = m.Close() }()
				_ = m.Write(&muxproto.Hello{Version: muxproto.Version})
				for {
					got, err := m.ReadRequest()
					if err != nil {
						return
					}
					switch req := got.(type) {
					case *muxproto.AliveCheck:
						_ = m.Write(&muxproto.Alive{RequestID: req.RequestID, PID: 1})
					case *muxproto.NewStdioForward:
						forward(m, req)
					}
				}
			})
		}
	})
	return path
}

// connect carries the slave's stream to where it wants, until the slave goes.
func connect(m *muxproto.Conn, req *muxproto.NewStdioForward) {
	in, err := m.ReceiveFD()
	if err != nil {
		return
	}
	out, err := m.ReceiveFD()
	if err != nil {
		return
	}
	input, output := os.NewFile(uintptr(in), "in"), os.NewFile(uintptr(out), "out")
	to, err := net.Dial("tcp", net.JoinHostPort(req.Host, strconv.Itoa(int(req.Port))))
	if err != nil {
		return
	}
	_ = m.Write(&muxproto.SessionOpened{RequestID: req.RequestID, SessionID: 1})
	go func() {
		_, _ = io.Copy(struct{ io.Writer }{to}, input) // no splice: its pipes stay open for a while
		_ = input.Close()
		_ = to.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(output, struct{ io.Reader }{to})
	_ = output.Close()
	_ = to.Close()
}

func TestAnotherMasterServesTheJumpHost(t *testing.T) {
	sshtest.NoLeaks(t)
	bastion := sshtest.NewServer(t)
	s, inner := behind(t, bastion, "", "ControlMaster auto", "ControlPath "+stageMaster(t, connect))
	l := dial(t, s.options(t, "inner1"))
	carries(t, l)
	require.True(t, l.Info().Proxied)
	require.Zero(t, bastion.Counts().Connections)
	require.NoError(t, l.Close())
	deserted(t, inner[0])
}

func TestWhenNobodyIsAttachedTo(t *testing.T) {
	dead := filepath.Join(t.TempDir(), "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	for name, lines := range map[string][]string{
		"ControlMaster yes": {"ControlMaster yes", "ControlPath " + stageMaster(t, connect)},
		"a dead socket":     {"ControlPath " + dead},
		"no socket":         {"ControlPath " + dead + "er"},
	} {
		t.Run(name, func(t *testing.T) {
			sshtest.NoLeaks(t)
			bastion := sshtest.NewServer(t)
			s, _ := behind(t, bastion, "", lines...)
			dial(t, s.options(t, "inner1"))
			require.Equal(t, 1, bastion.Counts().Logins)
		})
	}
	t.Run("our own", func(t *testing.T) {
		bastion := sshtest.NewServer(t)
		path := stageMaster(t, connect)
		s, _ := behind(t, bastion, "", "ControlPath "+path)
		dial(t, s.options(t, "inner1", "-S", path))
		require.Equal(t, 1, bastion.Counts().Logins)
	})
	t.Run("a link of ours", func(t *testing.T) {
		bastion := sshtest.NewServer(t)
		s, _ := behind(t, bastion, "", "ControlPath "+stageMaster(t, connect))
		links := upstream.NewLinks()
		own, err := links.Dial(within(t), s.options(t, "bastion"))
		require.NoError(t, err)
		defer func() { _ = own.Close() }()
		o := s.options(t, "inner1")
		o.Links = links
		dial(t, o)
		require.Contains(t, bastion.Log().Channel(1)[0], "open direct-tcpip")
	})
}

func TestAMasterThatIsNoHelp(t *testing.T) {
	for name, c := range map[string]struct {
		forward func(*muxproto.Conn, *muxproto.NewStdioForward)
		want    string
	}{
		"refuses": {func(m *muxproto.Conn, req *muxproto.NewStdioForward) {
			for range 2 {
				if fd, err := m.ReceiveFD(); err == nil {
					_ = syscall.Close(fd)
				}
			}
			_ = m.Write(&muxproto.Failure{RequestID: req.RequestID, Reason: "Session open refused by peer"})
		}, `port \d+: jump host bastion: .*Session open refused by peer`},
		"hangs up": {func(m *muxproto.Conn, _ *muxproto.NewStdioForward) { _ = m.Close() }, "jump host bastion: "},
		"is stuck": {func(*muxproto.Conn, *muxproto.NewStdioForward) {}, `jump host bastion: Connection timed out \(ConnectTimeout 500ms\)`},
	} {
		t.Run(name, func(t *testing.T) {
			sshtest.NoLeaks(t)
			bastion := sshtest.NewServer(t)
			s, _ := behind(t, bastion, "", "ControlPath "+stageMaster(t, c.forward))
			o := s.options(t, "inner1")
			o.Host.ConnectTimeout = 500 * time.Millisecond
			err := failing(t, within(t), o)
			require.Equal(t, upstream.Reached, err.Stage)
			require.Regexp(t, c.want, err.Error())
		})
	}
}
