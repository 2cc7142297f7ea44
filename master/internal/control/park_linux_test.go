package control_test

import (
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// nobodyServes is when no goroutine waits for a slave, or for its input.
func nobodyServes() bool {
	stacks := make([]byte, 1<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return !strings.Contains(text, "control.(*slave).serve") && !strings.Contains(text, "session.(*Session).copyStdin")
}

// quietSession is a session whose slave has said nothing for a while, and the connection of that slave.
func quietSession(t *testing.T, m *fakeMaster) (*muxproto.Conn, *os.File) {
	t.Helper()
	c := m.greeted(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	require.NoError(t, c.WriteFDs(&muxproto.NewSession{RequestID: 1, Command: "cat", EscapeChar: muxproto.NoEscape},
		int(r.Fd()), int(null.Fd()), int(null.Fd())))
	require.NoError(t, r.Close())
	got, err := c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.SessionOpened{}, got)
	require.Eventually(t, nobodyServes, patience, tick)
	return c, w
}

func TestQuietSlavesCanStillSpeak(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	c, in := quietSession(t, m)
	require.NoError(t, c.Write(&muxproto.AliveCheck{RequestID: 2}))
	got, err := c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.Alive{}, got)
	require.Eventually(t, nobodyServes, patience, tick)
	in.Close()
	got, err = c.ReadReply()
	require.NoError(t, err)
	require.IsType(t, &muxproto.ExitMessage{}, got)
	_, err = c.ReadReply()
	require.ErrorIs(t, err, io.EOF)
	require.Eventually(t, func() bool { return m.busy.Load() == 0 }, patience, tick)
}

func TestQuietSlavesCanLeave(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	c, _ := quietSession(t, m)
	require.NoError(t, c.Close())
	m.host.Log().Await(t, "close")
	require.Eventually(t, func() bool { return m.busy.Load() == 0 }, patience, tick)
}

func TestQuietSlavesAreCutOff(t *testing.T) {
	sshtest.NoLeaks(t)
	m := newMaster(t, "")
	c, in := quietSession(t, m)
	m.server.Close()
	_, err := c.ReadReply()
	require.ErrorIs(t, err, io.EOF)
	_, err = in.WriteString("x")
	require.Error(t, err, "nobody has the other end")
	require.Zero(t, m.busy.Load())
}
