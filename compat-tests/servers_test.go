package compat

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// An otherServer is an SSH server that is not OpenSSH's. It serves one connection, on its stdin and stdout.
type otherServer struct {
	name    string
	options []string // of the master
	// prepare makes a host key in dir and returns the command and the key's line for known_hosts.
	prepare func(t *testing.T, dir string) (command []string, hostKey string)
}

var dropbear = otherServer{name: "dropbear", prepare: func(t *testing.T, dir string) ([]string, string) {
	key := filepath.Join(dir, "host_key")
	r := run(t, Command{Args: []string{program(t, "dropbearkey"), "-t", "ed25519", "-f", key}})
	require.Equal(t, 0, r.Code, r.Stderr)
	// In this mode dropbear logs to the system's log only.
	return []string{program(t, "dropbear"), "-i", "-s", "-r", key}, publicLine(t, r.Stdout)
}}

var tinyssh = otherServer{name: "tinysshd", prepare: func(t *testing.T, dir string) ([]string, string) {
	keys := filepath.Join(dir, "keys")
	r := run(t, Command{Args: []string{program(t, "tinysshd-makekey"), "-q", keys}})
	require.Equal(t, 0, r.Code, r.Stderr)
	r = run(t, Command{Args: []string{program(t, "tinysshd-printkey"), keys}})
	require.Equal(t, 0, r.Code, r.Stderr)
	return []string{program(t, "tinysshd"), "-v", keys}, publicLine(t, r.Stdout)
}}

// publicLine finds a public key in what a program printed.
func publicLine(t *testing.T, printed string) string {
	t.Helper()
	for line := range strings.Lines(printed) {
		if _, key, ok := strings.Cut(line, "ssh-ed25519 "); ok {
			return "ssh-ed25519 " + key
		}
	}
	require.FailNow(t, "no public key", "%s", printed)
	return ""
}

// forEachMasterOf runs a behaviour against both masters of an otherServer. The server finds the user's authorized_keys
// where it looks for them, in the home folder, which is another one in a mount namespace of its own.
func (o otherServer) forEachMasterOf(t *testing.T, behaviour func(t *testing.T, m *otherMaster)) {
	t.Helper()
	eachKind(t, func(t *testing.T, kind Kind) {
		if os.Geteuid() != 0 {
			t.Skip(o.name, " reads authorized_keys from the home folder only, and only root can put another in its place")
		}
		needNamespaces(t)
		behaviour(t, o.master(t, kind))
	})
}

// An otherMaster is a master that is connected to an otherServer.
type otherMaster struct {
	*Master
	connections *atomic.Int32
}

func (o otherServer) master(t *testing.T, kind Kind) *otherMaster {
	t.Helper()
	dir := shortDir(t)
	command, hostKey := o.prepare(t, dir)
	me, err := user.Current()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "home", ".ssh"), 0o700))
	write(t, filepath.Join(dir, "home", ".ssh", "authorized_keys"), 0o600, writeKey(t, filepath.Join(dir, "id")))
	m := &otherMaster{connections: new(atomic.Int32), Master: &Master{
		Kind: kind, Dir: dir, Server: &Server{Dir: dir, User: me.Username}, Control: filepath.Join(dir, "ctl"),
		LogFile: filepath.Join(dir, "master.log"), setup: Setup{KeepOpen: true, Options: o.options}, binary: kind.program(t),
	}}
	inHome := []string{program(t, "unshare"), "-m", "sh", "-c", `mount --bind "$1" "$2" && shift 2 && exec "$@"`, "sh", filepath.Join(dir, "home"), me.HomeDir}
	m.Server.Port = m.listen(t, append(inHome, command...))
	write(t, filepath.Join(dir, "known_hosts"), 0o600, fmt.Sprintf("[127.0.0.1]:%d %s", m.Server.Port, hostKey))
	m.Server.writeClientConfig(t, m.Control, nil)
	m.Start(t)
	return m
}

// listen starts a server for each connection and returns the port.
func (m *otherMaster) listen(t *testing.T, command []string) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var servers []*exec.Cmd
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, server := range servers {
			_ = server.Process.Kill()
		}
		mu.Unlock()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			m.connections.Add(1)
			server, err := m.begin(conn.(*net.TCPConn), command)
			if err != nil {
				continue
			}
			mu.Lock()
			servers = append(servers, server)
			mu.Unlock()
			serving.Go(func() { _ = server.Wait() })
		}
	})
	return listener.Addr().(*net.TCPAddr).Port
}

func (m *otherMaster) begin(conn *net.TCPConn, command []string) (*exec.Cmd, error) {
	defer conn.Close()
	socket, err := conn.File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	log, err := os.OpenFile(m.Server.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	server := exec.Command(command[0], command[1:]...)
	server.Stdin, server.Stdout, server.Stderr = socket, socket, log
	server.Env = []string{"PATH=" + os.Getenv("PATH"), "TCPREMOTEIP=127.0.0.1", "TCPREMOTEPORT=1"}
	return server, server.Start()
}

// once finds that nobody but the master logged in.
func (m *otherMaster) once(t *testing.T) {
	t.Helper()
	require.EqualValues(t, 1, m.connections.Load(), "a client logged in by itself")
}

// tenMegabytes go up and come down, and are counted on the far side.
func (m *otherMaster) tenMegabytes(t *testing.T) {
	t.Helper()
	sent := strings.Repeat("0123456789abcde\n", 10<<20/16)
	r := run(t, Command{Args: m.SSH(Target, "tee /dev/stderr | wc -c >count; cat count"), Stdin: strings.NewReader(sent)})
	require.Equal(t, 0, r.Code)
	require.Equal(t, fmt.Sprint(10<<20), strings.TrimSpace(r.Stdout))
	require.True(t, r.Stderr == sent, "%d bytes came back", len(r.Stderr))
}

// terminal waits on the far side for what is told it beside the stream: the sizes of the window.
func (m *otherMaster) terminal(t *testing.T) {
	t.Helper()
	term := newTerminal(t)
	before := term.State(t)
	p := term.Start(t, nil, m.SSH("-t", Target, `size() { until test "$(stty size)" = "$*"; do sleep 0.05; done; }
		size 24 80; echo ready; size 30 100; echo resized; read line; echo "<$line>"; exit 9`)...)
	term.Ready(t)
	term.Resize(t, 30, 100)
	term.Expect(t, "resized")
	term.Type(t, "typed\r")
	term.Expect(t, "<typed>")
	require.Equal(t, 9, p.Wait(t))
	term.Resize(t, 24, 80)
	require.Equal(t, before, term.State(t))
}

// sideBySide has n sessions open at the same time.
func (m *otherMaster) sideBySide(t *testing.T, n int) {
	t.Helper()
	var open []*Process
	var ends []*os.File
	for i := range n {
		p, stdin, _ := heldSession(t, m.Master, fmt.Sprintf("cat >/dev/null; exit %d", i+1))
		open, ends = append(open, p), append(ends, stdin)
	}
	for i, p := range open {
		require.NoError(t, ends[i].Close())
		require.Equal(t, i+1, p.Wait(t))
	}
}

func TestDropbear(t *testing.T) {
	dropbear.forEachMasterOf(t, func(t *testing.T, m *otherMaster) {
		require.Equal(t, Result{Stdout: "out\n", Stderr: "err\n", Code: 7}, m.Session(t, "echo out; echo err >&2; exit 7"))
		require.Equal(t, Result{Code: 255}, m.Session(t, "kill -TERM $$"), "an exit-signal")
		m.tenMegabytes(t)
		m.terminal(t)
		m.sideBySide(t, 8)
		m.forwards(t)
		m.once(t)
		m.End(t)
	})
}

// forwards goes through -W, -L and -R.
func (m *otherMaster) forwards(t *testing.T) {
	t.Helper()
	r := run(t, Command{Args: m.SSH("-W", echoServer(t), Target), Stdin: strings.NewReader("by -W\n")})
	require.Equal(t, Result{Stdout: "welcome\nby -W\nbye\n"}, r)
	for _, flag := range []string{"-L", "-R"} {
		address := closedPort(t)
		r := m.Ask(t, "forward", flag, address+":"+echoServer(t))
		require.Equal(t, 0, r.Code, r.Stderr)
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err, flag)
		_, err = io.WriteString(conn, "by "+flag+"\n")
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		require.NoError(t, conn.SetDeadline(soon()))
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "welcome\nby "+flag+"\nbye\n", string(got))
		require.NoError(t, conn.Close())
	}
}

// TinySSH ends a connection with its first session: a stock master of it has one session to give, and ends then; ours
// connects anew for each. It forwards nothing. Global requests it answers in a way that says nothing, and stock waits for ever for the outcome of -R.
func TestTinySSH(t *testing.T) {
	for name, behaviour := range map[string]func(t *testing.T, m *otherMaster){
		"session": func(t *testing.T, m *otherMaster) {
			require.Equal(t, Result{Stdout: "out\n", Stderr: "err\n", Code: 7}, m.Session(t, "echo out; echo err >&2; exit 7"))
		},
		"ten megabytes": func(t *testing.T, m *otherMaster) { m.tenMegabytes(t) },
		"terminal":      func(t *testing.T, m *otherMaster) { m.terminal(t) },
		"a session beside the first": func(t *testing.T, m *otherMaster) {
			first, stdin, _ := heldSession(t, m.Master, "cat; exit 3")
			if m.Kind == Ours { // it has a connection of its own, and nobody sees a refusal
				r := run(t, Command{Args: m.SSH(noLogin, Target, "echo beside; exit 4")})
				require.Equal(t, Result{Stdout: "beside\n", Code: 4}, r)
			} else { // the client is told why, and logs in by itself
				r := m.Session(t, "echo by itself")
				require.Equal(t, Result{Stdout: "by itself\n", Stderr: "mux_client_request_session: session request failed: Session open refused by peer\n"},
					Result{Stdout: r.Stdout, Stderr: strings.ReplaceAll(r.Stderr, "\r", ""), Code: r.Code})
			}
			require.EqualValues(t, 2, m.connections.Swap(1))
			require.NoError(t, stdin.Close())
			require.Equal(t, 3, first.Wait(t))
		},
		"-W is refused": func(t *testing.T, m *otherMaster) {
			r := run(t, Command{Args: m.SSH("-W", echoServer(t), Target), Stdin: strings.NewReader("x")})
			require.Equal(t, 255, r.Code)
			require.Contains(t, r.Stderr, "Stdio forwarding request failed: Session open refused by peer")
			require.Equal(t, Result{Stdout: "after\n"}, m.Session(t, "echo after"))
		},
		"-L is refused": func(t *testing.T, m *otherMaster) {
			address := closedPort(t)
			require.Equal(t, 0, m.Ask(t, "forward", "-L", address+":"+echoServer(t)).Code)
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(soon()))
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Empty(t, got)
			require.Equal(t, Result{Stdout: "after\n"}, m.Session(t, "echo after"))
		},
		"-R is refused": func(t *testing.T, m *otherMaster) {
			if m.Kind == Stock {
				m.Session(t, "true")
				return
			}
			r := m.Ask(t, "forward", "-R", closedPort(t)+":"+echoServer(t))
			require.Equal(t, 255, r.Code)
			require.Contains(t, r.Stderr, "remote port forwarding failed for listen port")
			require.Equal(t, Result{Stdout: "after\n"}, m.Session(t, "echo after"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			tinyssh.forEachMasterOf(t, func(t *testing.T, m *otherMaster) {
				behaviour(t, m)
				m.once(t)
				if m.Kind == Ours {
					m.servesAnew(t)
					require.EqualValues(t, 2, m.connections.Load())
					m.End(t)
					return
				}
				require.Equal(t, 255, m.Wait(t))
				require.False(t, exists(m.Control), "the socket is still there")
			})
		})
	}
}

// Questions for a sign of life do no harm, and the server's answer counts. The time is what is tested: three intervals
// and more in which nothing else is sent.
func TestServerAliveInterval(t *testing.T) {
	for _, server := range []otherServer{dropbear, tinyssh} {
		t.Run(server.name, func(t *testing.T) {
			server.options = []string{"-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1"}
			server.forEachMasterOf(t, func(t *testing.T, m *otherMaster) {
				require.Equal(t, Result{Stdout: "alive\n", Code: 4}, m.Session(t, "sleep 4; echo alive; exit 4"))
				m.once(t)
			})
		})
	}
}
