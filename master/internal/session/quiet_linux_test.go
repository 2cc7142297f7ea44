package session_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
)

// goroutinesIn counts those that run a function.
func goroutinesIn(function string) int {
	buf := make([]byte, 1<<20)
	return bytes.Count(buf[:runtime.Stack(buf, true)], []byte(function+"("))
}

// A session that does nothing has two goroutines, for the host's output. What the
// host asks is answered all the same.
func TestQuietSessionHasFewGoroutines(t *testing.T) {
	sshtest.NoLeaks(t)
	asked, end := make(chan struct{}), make(chan struct{})
	answers := make(chan bool, 3)
	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
		s.Start()
		<-asked
		for range cap(answers) {
			ok, err := s.SendRequest("keepalive@openssh.com", true, nil)
			answers <- !ok && err == nil
		}
		<-end
		s.Exit(5)
	}))
	r := start(t, srv, request("quiet"))
	rests := func() bool {
		return goroutinesIn("session.(*Session).takeRequests")+goroutinesIn("session.(*Session).copyStdin") == 0
	}
	srv.Log().Await(t, "exec quiet")
	require.Eventually(t, func() bool { return rests() && goroutinesIn("session.(*Session).copyStdout") == 1 }, patience, tick)
	close(asked)
	for range cap(answers) {
		require.True(t, <-answers)
	}
	require.True(t, rests())
	close(end)
	_, err := io.ReadAll(r.out)
	require.NoError(t, err)
	<-r.over
	require.Equal(t, []string{"exit 5"}, r.heard.words)
}
