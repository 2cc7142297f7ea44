package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
)

// sshProxy is a real ssh that goes through the master in PROXY mode. Options may
// follow the host's name. It refuses -W beside -O.
func sshProxy(t *testing.T, m *testMaster, args ...string) *exec.Cmd {
	t.Helper()
	path := sshtest.Program(t, "ssh")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, append([]string{
		"-F", "none", "-S", m.path, "-O", "proxy", "-o", "UserKnownHostsFile=/dev/null", "host",
	}, args...)...)
}

// output runs ssh and returns its standard output and exit status.
func output(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err, "%s", &stderr)
	}
	t.Log(stderr.String())
	return string(out), cmd.ProcessState.ExitCode()
}

// background runs ssh until the test ends, or stop is called.
func background(t *testing.T, cmd *exec.Cmd) (stderr *safeBuffer, stop func()) {
	t.Helper()
	stderr = &safeBuffer{}
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var once sync.Once
	stop = func() {
		once.Do(func() {
			in.Close()
			cmd.Process.Kill()
			cmd.Wait()
		})
	}
	t.Cleanup(stop)
	return stderr, stop
}

// A safeBuffer may be read while it is written.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestSSHCommands(t *testing.T) {
	m := newMaster(t, sshtest.RealShell(t.TempDir()))
	out, code := output(t, sshProxy(t, m, "exit 5"))
	require.Equal(t, 5, code)
	require.Empty(t, out)

	cmd := sshProxy(t, m, "cat; echo error >&2; exit 1")
	cmd.Stdin = strings.NewReader("through cat")
	out, code = output(t, cmd)
	require.Equal(t, "through cat", out)
	require.Equal(t, 1, code)

	out, code = output(t, sshProxy(t, m, "-tt", "tty >/dev/null && echo terminal; exit 7"))
	require.Equal(t, "terminal\r\n", out)
	require.Equal(t, 7, code)

	_, code = output(t, sshProxy(t, m, "kill -9 $$"))
	require.Equal(t, 255, code)
	m.idle(t)
}

func TestSSHBulk(t *testing.T) {
	m := newMaster(t, sshtest.RealShell(t.TempDir()), sshtest.NoLog())
	cmd := sshProxy(t, m, "cat")
	source, sum := noise(bulk)
	cmd.Stdin = source
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	got, err := hashOf(out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	require.Equal(t, fmt.Sprintf("%x", sum.Sum(nil)), got)
}

func TestSSHKeepalive(t *testing.T) {
	m := newMaster(t, sshtest.RealShell(t.TempDir()))
	out, code := output(t, sshProxy(t, m, "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1", "sleep 2.5; echo still here"))
	require.Equal(t, "still here\n", out)
	require.Zero(t, code)
}

func TestSSHLocalAndDynamicForward(t *testing.T) {
	m := newMaster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echo(t, l)
	near := filepath.Join(filepath.Dir(m.path), "near")
	socks := strconv.Itoa(sshtest.FreePort(t))
	_, stop := background(t, sshProxy(t, m, "-N", "-L", near+":"+l.Addr().String(), "-D", socks))
	require.Equal(t, "forwarded", talk(t, dialUntil(t, "unix", near), "forwarded"))

	nc := dialUntil(t, "tcp", "127.0.0.1:"+socks)
	port := l.Addr().(*net.TCPAddr).Port
	nc.Write([]byte{4, 1, byte(port >> 8), byte(port), 127, 0, 0, 1, 0})
	granted := make([]byte, 8)
	_, err = io.ReadFull(nc, granted)
	require.NoError(t, err)
	require.Equal(t, byte(90), granted[1])
	require.Equal(t, "by socks", talk(t, nc, "by socks"))
	stop()
	require.NoError(t, <-m.ends)
	m.idle(t)
}

// The stock master never tells the port.
func TestSSHRemoteForward(t *testing.T) {
	m := newMaster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echo(t, l)
	far := m.path + ".far"
	stderr, stop := background(t, sshProxy(t, m, "-N", "-R", "0:"+l.Addr().String(), "-R", far+":"+l.Addr().String()))
	allocated := regexp.MustCompile(`Allocated port (\d+) for remote forward`)
	require.Eventually(t, func() bool { return allocated.MatchString(stderr.String()) }, patience, tick, "%s", stderr)
	port := allocated.FindStringSubmatch(stderr.String())[1]
	require.Equal(t, "from afar", talk(t, dialUntil(t, "tcp", "127.0.0.1:"+port), "from afar"))
	require.Equal(t, "by path", talk(t, dialUntil(t, "unix", far), "by path"))
	stop()
	require.NoError(t, <-m.ends)
	m.host.Log().Await(t, "global cancel-tcpip-forward localhost:"+port)
	m.idle(t)
}

// dialUntil dials until somebody listens.
func dialUntil(t *testing.T, network, address string) net.Conn {
	t.Helper()
	var nc net.Conn
	require.Eventually(t, func() bool {
		var err error
		nc, err = net.DialTimeout(network, address, time.Second)
		return err == nil
	}, patience, tick)
	return nc
}
