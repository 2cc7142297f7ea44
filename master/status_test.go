package master_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// asked is the status that the master gives on its socket.
func (s *serving) asked(t *testing.T) (status master.Status) {
	t.Helper()
	text, err := s.dial(t).Info(t.Context(), "status@ssh-master")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(text), &status))
	return status
}

func TestStatus(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	before := time.Now()
	m := start(t, srv)
	s := m.Status()
	require.Equal(t, sshtest.Host, s.Host)
	require.Equal(t, srv.Addr(), s.Address)
	require.Equal(t, m.path, s.Control)
	require.Equal(t, os.Getpid(), s.PID)
	require.Equal(t, "test", s.Version)
	require.Equal(t, master.StateUp, s.State)
	require.WithinRange(t, s.Since, before, time.Now())
	require.Empty(t, s.Trouble)
	require.Empty(t, s.Sessions)
	require.Len(t, s.Links, 1)
	l := s.Links[0]
	require.Equal(t, 1, l.Number)
	require.Equal(t, master.LinkUp, l.State)
	require.True(t, l.Home)
	require.Equal(t, srv.Addr(), l.Remote)
	require.NotZero(t, l.BytesIn)
	require.NotZero(t, l.BytesOut)
}

func TestStatusOfSessions(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	first, in := m.session(t, "cat")
	m.session(t, "cat")
	const size = 3 << 20
	_, err := in.Write(make([]byte, size))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return m.Status().Sessions[0].BytesIn == size }, patience, tick)
	s := m.asked(t)
	require.Len(t, s.Sessions, 2)
	require.Equal(t, 2, s.Links[0].Sessions)
	ses := s.Sessions[0]
	require.Equal(t, master.KindSession, ses.Kind)
	require.Equal(t, "cat", ses.Command)
	require.EqualValues(t, size, ses.BytesOut)
	require.False(t, ses.TTY)
	require.False(t, ses.Waiting)
	require.True(t, ses.Since.Before(s.Sessions[1].Since))
	require.Zero(t, s.Sessions[1].BytesIn)
	in.Close()
	_, err = first.Wait(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(m.Status().Sessions) == 1 }, patience, tick)
}

func TestStatusOfStreamsAndProxies(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	target := silent(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	_, err = m.dial(t).StdioForward(t.Context(), "127.0.0.1", uint32(target), int(r.Fd()), int(null.Fd()))
	require.NoError(t, err)
	client := m.join(t)
	ses, err := client.NewSession()
	require.NoError(t, err)
	require.NoError(t, ses.Run("echo hello"))
	_, err = io.WriteString(w, "good morning")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return m.Status().Sessions[0].BytesOut == uint64(len("good morning")) }, patience, tick)
	all := m.asked(t).Sessions
	require.Len(t, all, 2)
	require.Equal(t, master.KindStdioForward, all[0].Kind)
	require.Equal(t, fmt.Sprintf("[127.0.0.1]:%d", target), all[0].Command)
	require.Equal(t, master.KindProxy, all[1].Kind)
	require.EqualValues(t, len("hello\n"), all[1].BytesIn)
}

func TestStatusBeforeTheFirstLink(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv, "LazyConnect=yes")
	require.Equal(t, master.StateIdle, m.Status().State)
	require.Empty(t, m.Status().Trouble)
	ses, in := m.session(t, "exit 0")
	in.Close()
	_, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, master.StateUp, m.asked(t).State)
}

// A session that is held is listed before it has a channel.
func TestStatusOfAHostThatDoesNotAnswer(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	relay := sshtest.NewRelay(t, srv.Addr())
	_, port, err := net.SplitHostPort(relay.Addr())
	require.NoError(t, err)
	m := start(t, srv, "Port="+port, "StrictHostKeyChecking=no", "WarmSessions=0")
	relay.Freeze()
	opened := make(chan error, 1)
	go func() {
		_, err := m.open(t, "exit 0")
		opened <- err
	}()
	require.Eventually(t, func() bool { return m.Status().State == master.StateSuspect }, patience, tick)
	s := m.asked(t)
	require.Len(t, s.Sessions, 1)
	require.True(t, s.Sessions[0].Waiting)
	require.Equal(t, master.LinkSuspect, s.Links[0].State)
	require.Positive(t, s.Links[0].Silence)
	relay.Thaw()
	require.NoError(t, <-opened)
}

func TestStatusWithoutALink(t *testing.T) {
	sshtest.NoLeaks(t)
	srv := sshtest.NewServer(t)
	m := start(t, srv)
	m.succeeds(t)
	cut(srv)
	require.Eventually(t, func() bool { return m.Status().State == master.StateIdle }, patience, tick)
	require.Contains(t, m.asked(t).Trouble, "Connection to 127.0.0.1")
	m.succeeds(t)
	require.Equal(t, master.StateUp, m.asked(t).State)
	require.Empty(t, m.asked(t).Trouble)
}

func TestStatusOfOneThatLeaves(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	c := m.dial(t)
	m.session(t, "cat")
	require.NoError(t, m.dial(t).StopListening(t.Context()))
	text, err := c.Info(t.Context(), "status@ssh-master")
	require.NoError(t, err)
	require.Contains(t, text, `"state":"draining"`)
}

func TestStatusOfForwards(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	target, port := greeter(t), sshtest.FreePort(t)
	path := m.path + ".fwd"
	for _, f := range []muxproto.Forward{
		{Type: muxproto.ForwardLocal, ListenHost: "::1", ListenPort: uint32(sshtest.FreePort(t)), ConnectHost: "127.0.0.1", ConnectPort: uint32(target)},
		{Type: muxproto.ForwardDynamic, ListenPort: uint32(port), ConnectHost: "socks"},
		{Type: muxproto.ForwardRemote, ListenHost: "", ListenPort: 0, ConnectHost: "fe80::1", ConnectPort: 80},
		{Type: muxproto.ForwardLocal, ListenHost: path, ListenPort: muxproto.PortStreamLocal, ConnectHost: "/run/x", ConnectPort: muxproto.PortStreamLocal},
	} {
		_, err := m.dial(t).OpenForward(t.Context(), f)
		require.NoError(t, err)
	}
	s := m.asked(t).Forwards
	require.Len(t, s, 4)
	require.Regexp(t, fmt.Sprintf(`^\[::1\]:\d+:127\.0\.0\.1:%d$`, target), s[0].Spec)
	require.True(t, s[0].Since.Before(s[1].Since))
	require.Equal(t, master.ForwardStatus{Type: "dynamic", Spec: fmt.Sprint(port), Listen: fmt.Sprint(port), Since: s[1].Since}, s[1])
	require.Equal(t, "remote", s[2].Type)
	require.Equal(t, "0:[fe80::1]:80", s[2].Spec)
	require.NotZero(t, s[2].Port)
	require.False(t, s[2].Waiting)
	require.Equal(t, path+":/run/x", s[3].Spec)
}

func TestStatusCountsForwardedConnections(t *testing.T) {
	sshtest.NoLeaks(t)
	m := start(t, sshtest.NewServer(t))
	service, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer service.Close()
	port := sshtest.FreePort(t)
	_, err = m.dial(t).OpenForward(t.Context(), muxproto.Forward{
		Type: muxproto.ForwardLocal, ListenPort: uint32(port),
		ConnectHost: "127.0.0.1", ConnectPort: uint32(service.Addr().(*net.TCPAddr).Port),
	})
	require.NoError(t, err)
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	served, err := service.Accept()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s := m.Status()
		return s.Forwards[0].Connections == 1 && s.Connections == 1
	}, patience, tick)
	c.Close()
	served.Close()
	require.Eventually(t, func() bool { return m.Status().Forwards[0].Connections == 0 }, patience, tick)
}

func TestStatusFitsTheMessage(t *testing.T) {
	s := master.Status{Host: "h"}
	for i := range 5000 {
		s.Sessions = append(s.Sessions, master.SessionStatus{PID: i, Command: strings.Repeat("\x01", 300)})
		s.Forwards = append(s.Forwards, master.ForwardStatus{Spec: "8080"})
	}
	const limit = 200 << 10
	text, err := s.Within(limit)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), limit)
	require.Greater(t, len(text), limit/2)
	var got master.Status
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	require.Equal(t, 5000, len(got.Sessions)+got.SessionsLeftOut)
	require.Equal(t, 5000, len(got.Forwards)+got.ForwardsLeftOut)
	require.Equal(t, s.Sessions[:len(got.Sessions)], got.Sessions)
}

func TestSeconds(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0": 0, "1.234567": 1234567 * time.Microsecond, "1.791999": 1791999 * time.Microsecond, "3600": time.Hour,
	} {
		text, err := json.Marshal(master.Seconds(d + 400))
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		var back master.Seconds
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, d, time.Duration(back))
	}
}
