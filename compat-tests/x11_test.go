package compat

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// screen is an X server without a screen to look at, and the cookie that opens it. Both masters may use one.
type screen struct {
	display   string // :N
	authority string
}

// env is what a program needs to be its client.
func (s *screen) env() []string {
	return []string{"DISPLAY=" + s.display, "XAUTHORITY=" + s.authority}
}

// newScreen starts one at the first number that is free, and waits until it takes clients.
func newScreen(t testing.TB) *screen {
	t.Helper()
	for _, name := range []string{"Xvfb", "xauth", "xdpyinfo"} {
		program(t, name)
	}
	s := &screen{authority: filepath.Join(shortDir(t), "authority")}
	ready, told, err := os.Pipe()
	require.NoError(t, err)
	defer ready.Close()
	cookie := newCookie()
	// A server looks for its cookie by the protocol alone, a client by the display too; its number is known only now.
	s.addCookie(t, ":0", cookie)
	// A server that resets itself with its last client forgets the cookies that it generated.
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-auth", s.authority, "-nolisten", "tcp", "-noreset", "-screen", "0", "64x64x24")
	cmd.Env, cmd.ExtraFiles = environment(), []*os.File{told}
	start(t, cmd)
	require.NoError(t, told.Close())
	number, err := bufio.NewReader(ready).ReadString('\n')
	require.NoError(t, err, "Xvfb never became ready")
	s.display = ":" + strings.TrimSpace(number)
	s.addCookie(t, s.display, cookie)
	return s
}

func newCookie() string {
	cookie := make([]byte, 16)
	_, _ = rand.Read(cookie)
	return hex.EncodeToString(cookie)
}

func (s *screen) addCookie(t testing.TB, display, cookie string) {
	t.Helper()
	ok(t, Command{Args: []string{"xauth", "-q", "-f", s.authority, "add", display, ".", cookie}})
}

// xMasters is one display, and a master of each kind that forwards it with these options.
func xMasters(t *testing.T, options []string, behaviour func(t *testing.T, m *Master, s *screen)) {
	t.Helper()
	s := newScreen(t)
	forEachMaster(t, Setup{Options: options, Environment: s.env()}, func(t *testing.T, m *Master) {
		// Not there, sshd's xauth says so on the session's stderr.
		write(t, filepath.Join(m.Server.Dir, "home", ".Xauthority"), 0o600, "")
		behaviour(t, m, s)
	})
}

// session runs command in a session that asks for X11.
func (s *screen) session(t testing.TB, m *Master, option, command string) Result {
	t.Helper()
	return run(t, Command{Args: m.SSH(option, Target, command), Env: s.env()})
}

// TestX11Trusted: clients of -Y may do what the user's own may.
func TestX11Trusted(t *testing.T) {
	xMasters(t, []string{"-Y"}, func(t *testing.T, m *Master, s *screen) {
		own := ok(t, Command{Args: []string{"xdpyinfo"}, Env: s.env()})
		r := s.session(t, m, "-Y", "xdpyinfo")
		require.Equal(t, 0, r.Code, r.Stderr)
		require.Empty(t, r.Stderr)
		require.Equal(t, information(own.Stdout), information(r.Stdout), "the same display, seen from far away")
		require.Regexp(t, `(?m)^name of display: +localhost:\d+\.0$`, r.Stdout)
		severalXClients(t, m, s)
		wrongCookie(t, m, s, "-Y")
		require.NotContains(t, s.session(t, m, "-Y", "xauth list").Stdout, ownCookie(t, s), "the real cookie stays here")
		require.Equal(t, "[]\n", run(t, Command{Args: m.SSH("-x", Target, "echo [$DISPLAY]"), Env: s.env()}).Stdout)
		m.End(t)
	})
}

// information is what xdpyinfo says of a display whichever way one came there, without the long list of visuals.
func information(said string) string {
	said, _, _ = strings.Cut(said, "  number of visuals:")
	_, said, _ = strings.Cut(said, "\n") // the display's name
	return said
}

func ownCookie(t testing.TB, s *screen) string {
	t.Helper()
	fields := strings.Fields(ok(t, Command{Args: []string{"xauth", "-f", s.authority, "list", s.display}}).Stdout)
	require.Len(t, fields, 3)
	return fields[2]
}

// severalXClients: sessions one beside the other, clients one after another.
func severalXClients(t *testing.T, m *Master, s *screen) {
	t.Helper()
	var sessions sync.WaitGroup
	results := make([]Result, 3)
	errs := make([]error, len(results))
	for i := range results {
		c := Command{
			Args: m.SSH("-Y", Target, "for i in 1 2 3; do xdpyinfo >/dev/null || exit 1; done; echo served"),
			Env:  s.env(),
		}
		sessions.Go(func() { results[i], errs[i] = c.run() })
	}
	sessions.Wait()
	for i, r := range results {
		require.NoError(t, errs[i])
		require.Equal(t, Result{Stdout: "served\n"}, r)
	}
}

// wrongCookie: a client on the far side that shows another cookie than its session's, or none, never reaches the display.
func wrongCookie(t *testing.T, m *Master, s *screen, option string) {
	t.Helper()
	for name, command := range map[string]string{
		"wrong": "xauth -q add unix:${DISPLAY#*:} . " + newCookie(),
		"none":  ":",
	} {
		r := s.session(t, m, option, "export XAUTHORITY=$HOME/other; >$XAUTHORITY; "+command+"; xdpyinfo >/dev/null; echo $?")
		require.Equal(t, "1\n", r.Stdout, name)
		require.Contains(t, r.Stderr, "localhost:", name)
		eventually(t, func() bool {
			return strings.Contains(read(t, m.LogFile), "X11 connection rejected because of wrong authentication")
		}, "the master does not say why")
		require.NoError(t, os.Truncate(m.LogFile, 0))
	}
	again := s.session(t, m, option, "xdpyinfo >/dev/null && echo right")
	require.Equal(t, Result{Stdout: "right\n"}, again)
}

// TestX11Untrusted: clients of -X have a cookie of their own, with which the display grants less.
func TestX11Untrusted(t *testing.T) {
	// Debian's ssh trusts them all, unless it is told otherwise.
	xMasters(t, []string{"-X", "-o", "ForwardX11Trusted=no"}, func(t *testing.T, m *Master, s *screen) {
		full := information(ok(t, Command{Args: []string{"xdpyinfo"}, Env: s.env()}).Stdout)
		require.Contains(t, full, "SECURITY", "the X server knows no untrusted clients")
		r := s.session(t, m, "-X", "xdpyinfo")
		require.Equal(t, 0, r.Code, r.Stderr)
		require.Contains(t, r.Stdout, "number of screens:    1")
		for _, extension := range []string{"XTEST", "RECORD"} {
			require.Contains(t, full, extension)
			require.NotContains(t, information(r.Stdout), extension, "an untrusted client sees what it must not")
		}
		wrongCookie(t, m, s, "-X")
		m.End(t)
	})
}

// TestX11WithoutDisplay: a master without a display, or whose own options do not forward it, asks the host for nothing.
func TestX11WithoutDisplay(t *testing.T) {
	s := newScreen(t)
	t.Parallel()
	for name, setup := range map[string]Setup{
		"no display": {Options: []string{"-Y"}},
		"not told":   {Environment: s.env()},
	} {
		t.Run(name, func(t *testing.T) {
			forEachMaster(t, setup, func(t *testing.T, m *Master) {
				require.Equal(t, Result{Stdout: "[]\n"}, s.session(t, m, "-Y", "echo [$DISPLAY]"))
			})
		})
	}
}

// TestX11Refused: the host forwards no X11; the session goes on, and is told.
func TestX11Refused(t *testing.T) {
	s := newScreen(t)
	setup := Setup{Options: []string{"-Y"}, Environment: s.env(), Server: []string{"Match all", "X11Forwarding no"}}
	setup.Server = append([]string{"Subsystem sftp internal-sftp"}, setup.Server...)
	forEachMaster(t, setup, func(t *testing.T, m *Master) {
		want := Result{Stdout: "[]\n", Stderr: "X11 forwarding request failed\r\n", Code: 3}
		require.Equal(t, want, s.session(t, m, "-Y", "echo [$DISPLAY]; exit 3"))
	})
}
