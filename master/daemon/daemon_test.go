package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
)

// patience bounds every wait.
const patience = 20 * time.Second

// A household is a daemon that serves, and a person's folder.
type household struct {
	Client
	dir string
}

func newHousehold(t *testing.T, config ...string) *household {
	t.Helper()
	sshtest.NoLeaks(t)
	dir, err := os.MkdirTemp("/tmp", "d") // sun_path is short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &household{Client: Client{at(filepath.Join(dir, "daemon"))}, dir: dir}
	h.configure(t, config...)
	l, err := Listen(h.Place, nil)
	require.NoError(t, err)
	d := New(Config{Version: "test", PID: os.Getpid()})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		d.Serve(ctx, l)
	}()
	t.Cleanup(func() {
		cancel()
		<-served
		require.NoFileExists(t, h.Place.Socket)
	})
	return h
}

// configure writes a configuration that counts how often it is read.
func (h *household) configure(t *testing.T, lines ...string) {
	t.Helper()
	text := append([]string{
		fmt.Sprintf(`Match exec "echo x >>%s/read"`, h.dir), "User me", "Match all",
		"ControlPath " + h.dir + "/cm/%n", "HostName 127.0.0.1", "Port 1",
	}, lines...)
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "config"), []byte(strings.Join(text, "\n")+"\n"), 0o600))
}

// read is how often an ssh read it.
func (h *household) read(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "read"))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	return strings.Count(string(text), "x")
}

func (h *household) call(destination string) Call {
	return Call{Args: []string{"-F", h.dir + "/config"}, Destination: destination, Dir: h.dir, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir}}
}

func (h *household) ensure(t *testing.T, destination string) Ensured {
	t.Helper()
	e, err := h.Ensure(within(t), h.call(destination), Wish{})
	require.NoError(t, err)
	return e
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// However many ask, the configuration is read once and one master made.
func TestEnsureForMany(t *testing.T) {
	h := newHousehold(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			e, err := h.Ensure(within(t), h.call("web"), Wish{})
			if err != nil || e != (Ensured{Control: h.dir + "/cm/web", PID: os.Getpid()}) {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
	all.Wait()
	read := h.read(t) // one ssh -G asks more than once
	h.ensure(t, "web")
	require.Equal(t, read, h.read(t), "it was read again")
	require.LessOrEqual(t, read, 2)

	list, err := h.List(within(t))
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "web", list[0].Host)
	require.Empty(t, list[0].Links)
	_, masters, err := h.Check(within(t))
	require.NoError(t, err)
	require.Equal(t, 1, masters)
}

func TestEnsureAfterAChange(t *testing.T) {
	h := newHousehold(t)
	h.ensure(t, "web")
	h.configure(t, "Compression yes", "SetEnv A=1")
	h.ensure(t, "web") // nobody uses it: another one takes its place
	h.configure(t, "ControlPath none")
	_, err := h.Ensure(within(t), h.call("other"), Wish{})
	require.NoError(t, err, "the first value counts")
	text, err := h.Reload(within(t))
	require.NoError(t, err)
	require.Contains(t, text, "made anew")
}

func TestNotMade(t *testing.T) {
	h := newHousehold(t)
	e, err := h.Ensure(within(t), h.call("web"), Wish{NotMade: true})
	require.NoError(t, err)
	require.Equal(t, Ensured{Control: h.dir + "/cm/web"}, e)
	require.NoFileExists(t, e.Control)
	made := h.ensure(t, "web")
	e, err = h.Ensure(within(t), h.call("web"), Wish{NotMade: true})
	require.NoError(t, err)
	require.Equal(t, made, e)
}

// What cannot be served says why, and nobody is asked to guess.
func TestEnsureRefuses(t *testing.T) {
	h := newHousehold(t, "Host yes", "ControlMaster yes")
	for destination, want := range map[string]string{
		"yes":  "ControlMaster is yes",
		"-bad": "",
		"":     "",
	} {
		_, err := h.Ensure(within(t), h.call(destination), Wish{})
		require.Error(t, err, destination)
		require.ErrorContains(t, err, want)
	}
	c := h.call("web")
	c.Args = []string{"-F", h.dir + "/missing"}
	_, err := h.Ensure(within(t), c, Wish{})
	require.ErrorContains(t, err, "missing")
	require.NoError(t, os.MkdirAll(h.dir+"/cm/file", 0o700))
	_, err = h.Ensure(within(t), h.call("file"), Wish{})
	require.ErrorContains(t, err, "folder")
}

func TestEndFreesThePaths(t *testing.T) {
	for _, drain := range []bool{false, true} {
		h := newHousehold(t)
		e := h.ensure(t, "web")
		require.FileExists(t, e.Control)
		require.NoError(t, h.End(within(t), drain))
		require.NoFileExists(t, e.Control)
		require.Eventually(t, func() bool {
			_, _, err := h.Check(within(t))
			return errors.Is(err, ErrNotRunning)
		}, patience, time.Millisecond)
	}
}

// Nonsense on the socket is its sender's affair.
func TestNonsense(t *testing.T) {
	h := newHousehold(t)
	for _, words := range []string{"", "\n", "x", "{}\n", `{"do":"fly"}` + "\n", `{"do":"ensure"}` + "\n", `{"do":7}` + "\n", strings.Repeat("[", 100000)} {
		c, err := net.Dial("unix", h.Place.Socket)
		require.NoError(t, err)
		_, err = c.Write([]byte(words))
		require.NoError(t, err)
		require.NoError(t, c.(*net.UnixConn).CloseWrite())
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		answer := make([]byte, 1024)
		n, _ := c.Read(answer)
		require.NotContains(t, string(answer[:n]), `"ensured":{"control":"/`)
		require.NoError(t, c.Close())
	}
	h.ensure(t, "web")
}

// Of all who start a daemon one does.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	c := Client{at(filepath.Join(dir, "daemon"))}
	var begun atomic.Int32
	var l net.Listener
	begin := func(context.Context) (err error) {
		begun.Add(1)
		l, err = net.Listen("unix", c.Place.Socket)
		return err
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := c.Start(within(t), begin); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, begun.Load())
	require.NoError(t, l.Close())
	failed := errors.New("it fails")
	require.ErrorIs(t, c.Start(within(t), func(context.Context) error { return failed }), failed)
}
