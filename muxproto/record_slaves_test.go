package muxproto_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

var roots = flag.String("roots", "", "record testdata/slaves again from the releases of OpenSSH in this folder, "+
	"which has a root file system for each, named by the release, such as 9.2 (as root, with -update)")

// TestRecordSlaves lets stock programs talk to a stock master. What both say
// must decode and encode again. It uses the ssh of this machine; with -update
// and -roots it uses those releases, and what they say becomes the golden
// conversations:
//
//	debootstrap --variant=minbase --include=openssh-client bookworm ROOTS/9.2
//	go test -run RecordSlaves -update -roots ROOTS ./muxproto
func TestRecordSlaves(t *testing.T) {
	t.Parallel()
	if !*update || *roots == "" {
		site := newListeningSite(t, "")
		for _, v := range invocations {
			if !v.fixed && (v.master == "" || v.master == "own") { // those refused log in again, which takes time
				t.Run(v.name, func(t *testing.T) {
					t.Parallel()
					site.record(t, v)
				})
			}
		}
		return
	}
	places(t)
	dirs, err := filepath.Glob(filepath.Join(*roots, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	var releases []*release
	for _, root := range dirs {
		t.Run(filepath.Base(root), func(t *testing.T) { releases = append(releases, recordRelease(t, root)) })
	}
	require.False(t, t.Failed())
	saveReleases(t, releases)
}

func recordRelease(t *testing.T, root string) *release {
	site := newListeningSite(t, root)
	version, err := site.command(t, "ssh", "-V").CombinedOutput()
	require.NoError(t, err)
	r := &release{name: filepath.Base(root), version: strings.TrimSpace(string(version)), recordings: map[string]*recording{}}
	for _, v := range invocations {
		t.Run(v.name, func(t *testing.T) {
			if heard := site.record(t, v); heard != nil {
				r.hello = heard.hello
				r.recordings[v.name] = &heard.record
			}
		})
	}
	if heard := site.recordUnknownInfo(t); heard != nil {
		r.recordings[heard.name] = heard
	}
	return r
}

// recordUnknownInfo asks a master that gives information for some that it does
// not have. No stock slave does.
func (s *listeningSite) recordUnknownInfo(t *testing.T) *recording {
	r := newRelay(t, s.file("r"), s.socket(invocation{}))
	c, err := muxproto.Dial(within(t), s.file("r"))
	require.NoError(t, err)
	_, offered := c.Extension("info")
	if offered {
		_, err = c.Info(within(t), "nonsense")
		require.Error(t, err)
	}
	require.NoError(t, c.Close())
	require.True(t, r.stop(t))
	if !offered {
		return nil
	}
	r.record.name, r.record.origin = "info-unknown", "not a stock slave: EXT_INFO of a name that there is not"
	return &r.record
}

// A listeningSite is a site whose sshd listens, so that ssh reaches it from
// inside of a root file system. Its files are in that.
type listeningSite struct {
	*site
	t    *testing.T // for as long as the masters run
	root string     // "" for this machine

	mu      sync.Mutex
	running map[string]string // sockets by kind of master
	ports   *strings.Replacer
}

func newListeningSite(t *testing.T, root string) *listeningSite {
	s := &listeningSite{site: newSiteIn(t, filepath.Join("/", root, "tmp")), t: t, root: root, running: map[string]string{}}
	ports := []uint32{closedPort(t), closedPort(t), closedPort(t)}
	s.ports = strings.NewReplacer("NOPTY", fmt.Sprint(ports[1]), "NOSESSION", fmt.Sprint(ports[2]))
	var lines []string
	for _, p := range ports {
		lines = append(lines, fmt.Sprintf("ListenAddress 127.0.0.1:%d", p))
	}
	sshd := s.sshdConfig(t, append(lines,
		fmt.Sprintf("Match LocalPort %d", ports[1]), "PermitTTY no",
		fmt.Sprintf("Match LocalPort %d", ports[2]), "MaxSessions 0")...)
	s.config = s.write(t, "ssh_config", append(s.sshConfig(s.inside), fmt.Sprintf("Port %d", ports[0]))...)
	s.start(t, "sshd", exec.Command(program(t, "sshd"), "-D", "-e", "-f", sshd))
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[2]))
		return err == nil && c.Close() == nil
	}, patience, 5e6, "sshd did not come up")
	return s
}

// inside is the path of a file of the site for programs in the root.
func (s *listeningSite) inside(name string) string {
	return strings.TrimPrefix(s.file(name), s.root)
}

// command is a program of the release.
func (s *listeningSite) command(t testing.TB, name string, args ...string) *exec.Cmd {
	path := filepath.Join("/usr/bin", name)
	if s.root == "" {
		path = program(t, name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = cleanEnv(s.inside(""))
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root}
	return cmd
}

// socket is that of the master of a kind, which is started if need be.
func (s *listeningSite) socket(v invocation) string {
	kind := v.master
	if kind == "own" {
		kind = v.name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[kind] == "" {
		name := "ctl-" + kind
		args := []string{"-F", s.inside("ssh_config"), "-N", "-o", "SendEnv=CT_*", "-S", s.inside(name)}
		for _, option := range masters[v.master] {
			args = append(args, s.ports.Replace(option))
		}
		s.launch(s.t, name, s.command(s.t, "ssh", append(args, "target")...))
		s.running[kind] = s.file(name)
	}
	return s.running[kind]
}

// record runs an invocation, and returns nothing if that did not get as far as
// to attach to the master.
func (s *listeningSite) record(t *testing.T, v invocation) *relay {
	if v.fixed {
		s.removeSockets()
	}
	r := newRelay(t, s.file("r-"+v.name), s.socket(v))
	substitute := map[string]string{"S": s.inside("r-" + v.name), "F": s.inside("ssh_config")}
	args := strings.Split(v.args, "|")
	for i, a := range args {
		if path, ok := substitute[a]; ok {
			args[i] = path
		}
		args[i] = strings.Replace(strings.Replace(args[i], "=S", "="+substitute["S"], 1), "D/", s.inside(v.name)+".", 1)
	}
	cmd := s.command(t, args[0], args[1:]...)
	cmd.Env = append(cmd.Env, v.env...)
	out, err := runInvocation(t, cmd, v)
	var status *exec.ExitError
	require.True(t, err == nil || errors.As(err, &status), "%v", err)
	if v.fixed {
		s.removeSockets()
	}
	if !r.stop(t) {
		t.Logf("does not attach: %v\n%s", err, out)
		return nil
	}
	r.record.name, r.record.origin = v.name, fmt.Sprintf("%q", strings.ReplaceAll(v.args, "|", " "))
	return r
}

// removeSockets removes what forwards left behind, in the root or outside.
func (s *listeningSite) removeSockets() {
	for _, path := range leftBehind {
		_ = os.Remove(path)
		_ = os.Remove(filepath.Join("/", s.root, path))
	}
}

// runInvocation runs a program with files of the sort that the table asks for,
// and returns what it wrote.
func runInvocation(t *testing.T, cmd *exec.Cmd, v invocation) (out []byte, err error) {
	switch {
	case v.tty:
		ptmx, tty, err := pty.Open()
		require.NoError(t, err)
		defer ptmx.Close()
		defer tty.Close()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		_, _ = ptmx.WriteString(v.stdin)
		go io.Copy(io.Discard, ptmx)
		return nil, runBounded(cmd)
	case v.file:
		cmd.Stdin = tempFile(t, v.stdin)
	default:
		cmd.Stdin = strings.NewReader(v.stdin) // by a pipe
	}
	var stdout, stderr bytes.Buffer // a pipe each
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = runBounded(cmd)
	return append(stdout.Bytes(), stderr.Bytes()...), err
}

// runBounded kills a program that takes too long.
func runBounded(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait()
}

// places occupies the fixed ports and paths of the table: echoes, and a port
// that is taken.
func places(t *testing.T) {
	_ = os.Remove(echoPath)
	for _, place := range [][2]string{
		{"tcp4", fmt.Sprintf("127.0.0.1:%d", echoPort)}, {"tcp6", fmt.Sprintf("[::1]:%d", echoPort)},
		{"unix", echoPath}, {"tcp", fmt.Sprintf(":%d", takenPort)},
	} {
		l, err := net.Listen(place[0], place[1])
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					_, _ = io.Copy(c, c)
					_ = c.Close()
				}()
			}
		}()
	}
	t.Cleanup(func() { _ = os.Remove(echoPath) })
}

// descriptors counts what must follow these requests.
func descriptors(requests []muxproto.Message) int {
	n := 0
	for _, m := range requests {
		switch m.(type) {
		case *muxproto.NewSession:
			n += 3
		case *muxproto.NewStdioForward:
			n += 2
		}
	}
	return n
}
