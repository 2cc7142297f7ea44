package muxproto_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// invocations are the commands whose requests are recorded. S stands for the
// control socket and F for the configuration file.
var invocations = []struct {
	name string
	args string // separated by |
	env  []string
}{
	{name: "session", args: "ssh|-F|F|-S|S|target|echo hi"},
	{name: "shell", args: "ssh|-F|F|-S|S|target"},
	{name: "tty", args: "ssh|-F|F|-S|S|-tt|target"},
	{name: "escape", args: "ssh|-F|F|-S|S|-tt|-e|none|target|top"},
	{name: "env", args: "ssh|-F|F|-S|S|-o|SendEnv=CT_*|-o|SetEnv=FOO=bar EMPTY=|target|env", env: []string{"CT_A=1", "CT_B=", "OTHER=x"}},
	{name: "agent", args: "ssh|-F|F|-S|S|-A|target|true", env: []string{"SSH_AUTH_SOCK=/nonexistent"}},
	{name: "x11", args: "ssh|-F|F|-S|S|-Y|target|true", env: []string{"DISPLAY=:99"}},
	{name: "subsystem", args: "ssh|-F|F|-S|S|-s|target|netconf"},
	{name: "sftp", args: "sftp|-F|F|-o|ControlPath=S|target"},
	{name: "scp", args: "scp|-O|-F|F|-o|ControlPath=S|target:/nonexistent|/dev/null"},
	{name: "session-forwards", args: "ssh|-F|F|-S|S|-L|8080:h:80|-R|0:h:80|-D|1080|target|true"},
	{name: "stdio", args: "ssh|-F|F|-S|S|-W|h:22|target"},
	{name: "stdio-v6", args: "ssh|-F|F|-S|S|-W|[::1]:22|target"},
	{name: "check", args: "ssh|-F|F|-S|S|-O|check|target"},
	{name: "exit", args: "ssh|-F|F|-S|S|-O|exit|target"},
	{name: "stop", args: "ssh|-F|F|-S|S|-O|stop|target"},
	{name: "local", args: "ssh|-F|F|-S|S|-O|forward|-L|8080:h:80|-L|*:8081:h:80|-L|localhost:8082:[::1]:80|target"},
	{name: "local-unix", args: "ssh|-F|F|-S|S|-O|forward|-L|/a:h:80|-L|/a:/b|-L|8080:/b|target"},
	{name: "remote", args: "ssh|-F|F|-S|S|-O|forward|-R|8080:h:80|-R|0:h:80|-R|1080|-R|/r:/l|target"},
	{name: "dynamic", args: "ssh|-F|F|-S|S|-O|forward|-D|1080|-D|127.0.0.1:1081|target"},
	{name: "cancel", args: "ssh|-F|F|-S|S|-O|cancel|-L|8080:h:80|-R|8081:h:81|-D|1080|target"},
	{name: "proxy", args: "ssh|-F|F|-S|S|-O|proxy|target|exit 5"},
}

// TestRecordRequests lets stock programs talk to a fake master. What they send
// must decode and encode again; with -update it becomes the golden frames.
func TestRecordRequests(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	config := filepath.Join(dir, "config")
	// A client that does not like the fake master must not get anywhere.
	require.NoError(t, os.WriteFile(config, []byte("Host target\n ProxyCommand false\n UserKnownHostsFile /dev/null\n"), 0o600))
	for _, v := range invocations {
		t.Run(v.name, func(t *testing.T) {
			path := filepath.Join(dir, v.name)
			f := newFakeMaster(t, path)
			args := strings.Split(v.args, "|")
			for i, a := range args {
				switch {
				case a == "S", a == "F":
					args[i] = map[string]string{"S": path, "F": config}[a]
				case a == "ControlPath=S":
					args[i] = "ControlPath=" + path
				}
			}
			cmd := exec.Command(program(t, args[0]), args[1:]...)
			cmd.Env = cleanEnv(dir, v.env...)
			_ = cmd.Run() // what the fake answers need not please it
			r := f.stop(t)
			require.NotEmpty(t, r.events)
			for _, frame := range r.frames() {
				m, err := muxproto.DecodeRequest(frame[4:])
				require.NoError(t, err)
				require.Equal(t, frame, muxproto.Append(nil, m))
			}
			if *update {
				r.name, r.origin = v.name, sshVersion(t)+": "+strings.ReplaceAll(v.args, "|", " ")
				r.save(t, "requests")
			}
		})
	}
}

// A fakeMaster serves one slave, says yes to everything, and records it.
type fakeMaster struct {
	listener *net.UnixListener
	record   recording
	err      error
	done     chan struct{}
}

func newFakeMaster(t testing.TB, path string) *fakeMaster {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	require.NoError(t, l.SetDeadline(time.Now().Add(patience)))
	f := &fakeMaster{listener: l, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = f.serve()
	}()
	return f
}

// stop waits for the slave's end.
func (f *fakeMaster) stop(t testing.TB) recording {
	<-f.done
	require.NoError(t, f.listener.Close())
	require.NoError(t, f.err)
	return f.record
}

func (f *fakeMaster) serve() error {
	sock, err := f.listener.AcceptUnix()
	if err != nil {
		return err
	}
	conn := muxproto.NewConn(sock)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Write(&muxproto.Hello{Version: muxproto.Version}); err != nil {
		return err
	}
	for {
		frame, err := readFrame(sock)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		m, err := muxproto.DecodeRequest(frame[4:])
		if err != nil {
			return err
		}
		f.record.add("", frame, muxproto.Describe(m))
		if over, err := f.answer(conn, m); over || err != nil {
			return err
		}
	}
}

// readFrame reads a frame with its length, without the package's help.
func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, 4)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame))...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// answer says yes. It tells whether the conversation is over.
func (f *fakeMaster) answer(conn *muxproto.Conn, m muxproto.Message) (over bool, err error) {
	switch m := m.(type) {
	case *muxproto.Hello:
		return false, nil
	case *muxproto.AliveCheck:
		return false, conn.Write(&muxproto.Alive{RequestID: m.RequestID, PID: uint32(os.Getpid())})
	case *muxproto.NewSession:
		if err := f.takeFDs(conn, 3); err != nil {
			return true, err
		}
		return true, conn.Write(&muxproto.SessionOpened{RequestID: m.RequestID, SessionID: 7},
			&muxproto.ExitMessage{SessionID: 7})
	case *muxproto.NewStdioForward:
		if err := f.takeFDs(conn, 2); err != nil {
			return true, err
		}
		return true, conn.Write(&muxproto.SessionOpened{RequestID: m.RequestID, SessionID: 7})
	case *muxproto.OpenForward:
		if m.Type == muxproto.ForwardRemote && m.ListenPort == 0 {
			return false, conn.Write(&muxproto.RemotePort{RequestID: m.RequestID, Port: 4711})
		}
		return false, conn.Write(&muxproto.OK{RequestID: m.RequestID})
	case *muxproto.CloseForward:
		return false, conn.Write(&muxproto.OK{RequestID: m.RequestID})
	case *muxproto.Terminate:
		return false, conn.Write(&muxproto.OK{RequestID: m.RequestID})
	case *muxproto.StopListening:
		return false, conn.Write(&muxproto.OK{RequestID: m.RequestID})
	case *muxproto.Proxy:
		return true, f.proxy(conn, m.RequestID)
	}
	return true, fmt.Errorf("no answer to %s", muxproto.Describe(m))
}

func (f *fakeMaster) takeFDs(conn *muxproto.Conn, n int) error {
	for i := range n {
		fd, err := conn.ReceiveFD()
		if err != nil {
			return err
		}
		_ = syscall.Close(fd)
		f.record.add("fd", nil, fmt.Sprintf("descriptor %d", i))
	}
	return nil
}

// proxy refuses the first channel: one packet of the slave is enough.
func (f *fakeMaster) proxy(conn *muxproto.Conn, id uint32) error {
	if err := conn.Write(&muxproto.ProxyReply{RequestID: id}); err != nil {
		return err
	}
	frame, err := readFrame(conn.UnixConn())
	if err != nil {
		return err
	}
	f.record.add("packet", frame, fmt.Sprintf("SSH message %d", frame[5]))
	failure := []byte{92, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0} // RFC 4254 section 5.1
	copy(failure[1:5], frame[6+4+len("session"):])                        // the slave's channel number
	return conn.WritePacket(failure)
}
