package sshtest_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sshmaster/master/internal/sshtest"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func TestRealCommands(t *testing.T) {
	sshtest.NoLeaks(t)
	home := t.TempDir()
	srv := sshtest.NewServer(t, sshtest.RealShell(home))
	c := client(t, srv)

	s := session(t, c)
	var out, errs bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader("in"), &out, &errs
	require.NoError(t, s.Setenv("COLOR", "blue"))
	var exit *ssh.ExitError
	require.ErrorAs(t, s.Run("cat; echo $COLOR; pwd; echo oops >&2; exit 3"), &exit)
	require.Equal(t, 3, exit.ExitStatus())
	require.Equal(t, "inblue\n"+home+"\n", out.String())
	require.Equal(t, "oops\n", errs.String())

	require.ErrorAs(t, session(t, c).Run("kill -TERM $$"), &exit)
	require.Equal(t, "TERM", exit.Signal())

	s = session(t, c)
	s.Stdin = strings.NewReader("echo from the shell\n")
	text, err := s.Output("sh")
	require.NoError(t, err)
	require.Equal(t, "from the shell\n", string(text))

	text, err = session(t, c).Output("head -c 3000000 /dev/zero")
	require.NoError(t, err)
	require.Len(t, text, 3000000)
	require.Error(t, session(t, c).RequestSubsystem("nonsense"))
}

func TestRealSignal(t *testing.T) {
	srv := sshtest.NewServer(t, sshtest.RealShell(t.TempDir()))
	s := session(t, client(t, srv))
	out, err := s.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.Start("echo ready; exec sleep 1000"))
	_, err = io.ReadFull(out, make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, s.Signal(ssh.SIGINT))
	var exit *ssh.ExitError
	require.ErrorAs(t, s.Wait(), &exit)
	require.Equal(t, "INT", exit.Signal())
}

func TestRealTerminal(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.RealShell(t.TempDir()))
	c := client(t, srv)
	s := session(t, c)
	require.NoError(t, s.RequestPty("vt100", 24, 80, nil))
	in, err := s.StdinPipe()
	require.NoError(t, err)
	out, err := s.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.Start("stty -echo; echo $TERM; stty size; read x; stty size"))
	lines := make([]byte, len("vt100\r\n24 80\r\n"))
	_, err = io.ReadFull(out, lines)
	require.NoError(t, err)
	require.Equal(t, "vt100\r\n24 80\r\n", string(lines))
	require.NoError(t, s.WindowChange(50, 132))
	srv.Log().Await(t, "window-change 132x50")
	io.WriteString(in, "\n")
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, "50 132\r\n", string(rest))
	require.NoError(t, s.Wait())
}

// TestRealLeftovers checks that the client's end hangs up a terminal, and that Close kills the rest: a program that
// ignores everything, and one in the background that holds the output.
func TestRealLeftovers(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t, sshtest.RealShell(t.TempDir()))
	c := client(t, srv)
	tty := session(t, c)
	require.NoError(t, tty.RequestPty("vt100", 24, 80, nil))
	require.NoError(t, tty.Start("sleep 1000"))
	tty.Close()
	srv.Log().Await(t, "close")
	stubborn := session(t, c)
	require.NoError(t, stubborn.Start("trap '' HUP TERM; sleep 1000"))
	background := session(t, c)
	require.NoError(t, background.Start("sleep 1000 & exit 0"))
	srv.Close()
}

func TestSFTP(t *testing.T) {
	home := t.TempDir()
	srv := sshtest.NewServer(t, sshtest.RealShell(home))
	client, err := sftp.NewClient(client(t, srv))
	require.NoError(t, err)
	f, err := client.Create("file")
	require.NoError(t, err)
	_, err = f.Write([]byte("content"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, client.Close())
	content, err := os.ReadFile(filepath.Join(home, "file"))
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
}

// TestStockClient checks that the written files are all that a real ssh needs.
func TestStockClient(t *testing.T) {
	path := sshtest.Program(t, "ssh")
	srv := sshtest.NewServer(t, sshtest.RealShell(t.TempDir()))
	out, err := exec.Command(path, "-F", srv.Files(t).Config, sshtest.Host, "echo hello; exit 0").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "hello\n", string(out))
	require.Equal(t, 1, srv.Counts().Logins)
}
