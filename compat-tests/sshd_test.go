package compat

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// Server is a throw-away sshd on loopback with keys of its own. The listener is ours, and each connection gets an
// `sshd -i`: there is no port to guess, the listener can go while connections live on, and each sshd is a child that a
// test can end by its pid.
type Server struct {
	Dir    string // everything it needs, and its log
	User   string // who logs in: whoever runs the tests
	Port   int
	Config string // the client configuration: ssh -F Config target

	sshd     string
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	logins []login // guarded by mu
}

// noTerminals says why the server cannot grant terminals; it is empty where it can. An sshd wants them to belong to the
// group tty and ends if they do not and it is not root, who alone can change that.
func noTerminals(t testing.TB) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return ""
	}
	screen, tty, err := pty.Open()
	require.NoError(t, err)
	defer screen.Close()
	defer tty.Close()
	info, err := tty.Stat()
	require.NoError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	group, err := user.LookupGroup("tty")
	if ok && err == nil && group.Gid != strconv.Itoa(int(stat.Gid)) {
		return fmt.Sprintf("terminals belong to group %d here, not to tty: only root's sshd can grant them", stat.Gid)
	}
	return ""
}

// login is one accepted connection and its sshd.
type login struct {
	socket *os.File // the same as the sshd's, and in no poller: this process would wake for all that the sshd is sent
	sshd   *exec.Cmd
	ended  *atomic.Bool
}

// startServer starts it, with extra lines for sshd_config. It is ready when it returns, and gone when the test ends.
func startServer(t testing.TB, dir string, lines ...string) *Server {
	t.Helper()
	s := &Server{Dir: dir, sshd: program(t, "sshd")}
	program(t, "ssh")
	me, err := user.Current()
	require.NoError(t, err)
	s.User = me.Username
	if os.Geteuid() == 0 {
		// The privilege separation folder that Debian's start script makes. Only root's sshd asks for it.
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	listener := listenApart(t) // so that ListenAgain finds its port free
	s.Port = listener.Addr().(*net.TCPAddr).Port
	s.writeServerFiles(t, lines)
	s.serve(listener)
	t.Cleanup(s.stop)
	return s
}

func (s *Server) writeServerFiles(t testing.TB, lines []string) {
	require.NoError(t, os.Mkdir(filepath.Join(s.Dir, "home"), 0o700))
	host := writeKey(t, filepath.Join(s.Dir, "host_key"))
	login := writeKey(t, filepath.Join(s.Dir, "id"))
	write(t, filepath.Join(s.Dir, "authorized_keys"), 0o600, login)
	write(t, filepath.Join(s.Dir, "known_hosts"), 0o600, fmt.Sprintf("[127.0.0.1]:%d %s", s.Port, host))
	config := append([]string{
		// At DEBUG, sshd -e writes lines of its own into each session's stderr.
		"HostKey " + filepath.Join(s.Dir, "host_key"),
		"AuthorizedKeysFile " + filepath.Join(s.Dir, "authorized_keys"),
		"UsePAM no", "StrictModes no", "LogLevel VERBOSE", "PidFile none",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes",
		"PrintMotd no", "PrintLastLog no", "AcceptEnv CT_* LANG", "X11Forwarding yes", "PermitUserRC no",
		// The far shell finds an empty home, so that no start-up file of whoever runs the tests has a say.
		"SetEnv HOME=" + filepath.Join(s.Dir, "home"),
	}, lines...)
	if !strings.Contains(strings.Join(lines, "\n"), "Subsystem sftp") {
		config = append(config, "Subsystem sftp internal-sftp")
	}
	write(t, filepath.Join(s.Dir, "sshd_config"), 0o600, strings.Join(config, "\n")+"\n")
}

// writeKey writes an OpenSSH private key and returns its authorized_keys line.
func writeKey(t testing.TB, path string) string {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	write(t, path, 0o600, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(key))
}

// serve logs in whoever comes to the listener, until StopListening.
func (s *Server) serve(listener net.Listener) {
	s.listener = listener
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.login(conn.(*net.TCPConn))
		}
	})
}

func (s *Server) login(conn *net.TCPConn) {
	socket, err := unpolled(conn)
	if err != nil {
		return
	}
	cmd, err := s.startLogin(socket)
	if err != nil {
		_ = socket.Close()
		return
	}
	s.mu.Lock()
	l := login{socket, cmd, new(atomic.Bool)}
	s.logins = append(s.logins, l)
	s.mu.Unlock()
	s.serving.Go(func() {
		_ = cmd.Wait()
		l.ended.Store(true)
		_ = socket.Close()
	})
}

// unpolled is the socket of conn, which it closes, as a file that is in no poller.
func unpolled(conn *net.TCPConn) (*os.File, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var socket int
	var failed error
	err = raw.Control(func(fd uintptr) {
		if socket, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
			failed = unix.SetNonblock(socket, false)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(socket), "login"), nil
}

func (s *Server) startLogin(socket *os.File) (*exec.Cmd, error) {
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.sshd, "-i", "-e", "-f", filepath.Join(s.Dir, "sshd_config"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd, cmd.Start()
}

// LogFile is where every sshd of this server logs at VERBOSE.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "sshd.log") }

// StopListening lets the present connections live on and refuses every new one, so that a client that falls back to a
// login of its own fails.
func (s *Server) StopListening() { _ = s.listener.Close() }

// Logins is how many connections were accepted so far.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.logins)
}

// Connected is how many of them have not ended.
func (s *Server) Connected() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logins {
		if !l.ended.Load() {
			n++
		}
	}
	return n
}

// Cut ends every connection, whichever processes of sshd hold it, and kills each sshd.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logins {
		l.cut()
		_ = l.sshd.Process.Kill()
	}
}

// cut shuts the socket down for all who have it.
func (l login) cut() {
	raw, err := l.socket.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

func (s *Server) stop() {
	s.StopListening()
	s.Cut()
	s.serving.Wait()
}

// Target is the name by which the client configuration knows the server.
const Target = "somehost"

// writeClientConfig writes the only configuration that ssh reads: with -F, neither the user's nor the system's is.
func (s *Server) writeClientConfig(t testing.TB, control string, lines []string) {
	config := append([]string{
		"Host *",
		"HostName 127.0.0.1", fmt.Sprintf("Port %d", s.Port), "User " + s.User,
		"IdentityFile " + filepath.Join(s.Dir, "id"), "IdentitiesOnly yes", "IdentityAgent none",
		"UserKnownHostsFile " + filepath.Join(s.Dir, "known_hosts"), "GlobalKnownHostsFile /dev/null",
		"StrictHostKeyChecking yes", "BatchMode yes", "UpdateHostKeys no",
		"ControlPath " + control, "ControlMaster no",
	}, lines...)
	s.Config = write(t, filepath.Join(s.Dir, "config"), 0o600, strings.Join(config, "\n")+"\n")
}
