package master_test

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
)

// replace starts a master in the place of whoever is at path.
func replace(t *testing.T, host *master.Host, path string) (*serving, error) {
	t.Helper()
	m, err := master.New(master.Options{Host: host, Control: path, OnDemand: true, Replace: true})
	require.NoError(t, err)
	if err := m.Start(t.Context()); err != nil {
		return nil, err
	}
	s := &serving{Master: m, path: path, end: make(chan error, 1)}
	go func() { s.end <- m.Serve(t.Context()) }()
	t.Cleanup(func() { m.Shutdown(t.Context()) })
	return s, nil
}

func TestReplaceMaster(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	old := start(t, srv)
	ses, in := old.session(t, "cat")
	m, err := replace(t, resolve(t, srv), old.path)
	require.NoError(t, err)
	m.succeeds(t)
	require.Equal(t, 2, srv.Counts().Logins)
	select {
	case err := <-old.end:
		require.FailNow(t, "its session was cut off", "%v", err)
	default:
	}
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, exit.Known)
	require.NoError(t, old.ended(t))
	m.succeeds(t)
	require.FileExists(t, m.path)
}

// A master that asks its user first may refuse.
func TestReplaceIsRefused(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	old := startWith(t, master.Options{Host: resolve(t, srv, "ControlMaster=ask"), Env: []string{}})
	_, err := replace(t, resolve(t, srv), old.path)
	var held *master.InUseError
	require.ErrorAs(t, err, &held)
	require.EqualValues(t, os.Getpid(), held.PID)
	require.ErrorContains(t, err, "it refuses: Permission denied")
	_, live, err := master.Holder(old.path, "")
	require.NoError(t, err)
	require.True(t, live)
}

func TestReplaceStockMaster(t *testing.T) {
	program := sshtest.Program(t, "ssh")
	sshtest.NoLeaks(t)
	srv, path := sshtest.NewServer(t), controlPath(t)
	config := srv.Files(t).Config
	stock := exec.Command(program, "-F", config, "-M", "-N", "-S", path, sshtest.Host)
	require.NoError(t, stock.Start())
	ended := make(chan error, 1)
	go func() { ended <- stock.Wait() }()
	t.Cleanup(func() { stock.Process.Kill(); <-ended })
	require.Eventually(t, func() bool {
		pid, live, err := master.Holder(path, "")
		return err == nil && live && int(pid) == stock.Process.Pid
	}, patience, tick)
	slave := exec.Command(program, "-F", config, "-S", path, sshtest.Host, "cat")
	in, err := slave.StdinPipe()
	require.NoError(t, err)
	out, err := slave.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, slave.Start())
	echo := func(text string) {
		t.Helper()
		_, err := io.WriteString(in, text)
		require.NoError(t, err)
		got := make([]byte, len(text))
		_, err = io.ReadFull(out, got)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	echo("before")

	m, err := replace(t, resolve(t, srv), path)
	require.NoError(t, err)
	m.succeeds(t)
	echo("after")
	in.Close()
	require.NoError(t, slave.Wait())
	select {
	case <-ended: // with its last session
		ended <- nil
	case <-time.After(patience):
		require.Fail(t, "the stock master has not ended")
	}
	m.succeeds(t)
}
