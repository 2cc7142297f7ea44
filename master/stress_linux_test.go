package master_test

import (
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// Slaves that come and are killed at any moment leave nothing behind.
func TestSlavesKilledAtAnyMoment(t *testing.T) {
	srv := sshtest.NewServer(t)
	m := start(t, srv, "WarmSessions=0", "MaxLinks=1")
	_, in := m.session(t, "exit 0") // what is made once is made now
	in.Close()
	require.Eventually(t, func() bool { return srv.Counts().OpenChannels == 0 }, patience, tick)
	sshtest.NoLeaks(t)
	before := threads(t)

	var slaves sync.WaitGroup
	for range 8 {
		slaves.Go(func() {
			for range 15 {
				killedSlave(t, m.path)
			}
		})
	}
	slaves.Wait()
	require.Eventually(t, func() bool { return srv.Counts().OpenChannels == 0 }, patience, tick)
	require.LessOrEqual(t, threads(t), before+8)
	ses, in := m.session(t, "exit 3")
	in.Close()
	exit, err := ses.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, exit.Status)
	ses.Close()
}

func threads(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return len(entries)
}

// killedSlave asks for a session and is gone after a random number of steps.
func killedSlave(t *testing.T, path string) {
	sock, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path})
	if err != nil {
		t.Error(err)
		return
	}
	c := muxproto.NewConn(sock)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	inR, inW, _ := os.Pipe()
	outR, outW, _ := os.Pipe()
	for _, f := range []*os.File{inR, inW, outR, outW} {
		defer f.Close()
	}
	outR.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	command := []string{"cat", "yes", "exit 3", "", "count"}[rand.IntN(5)]
	req := &muxproto.NewSession{RequestID: 1, Command: command, WantTTY: rand.IntN(2) == 0, EscapeChar: '~'}
	steps := []func(){
		func() { c.Write(&muxproto.Hello{Version: muxproto.Version}) },
		func() { c.ReadReply() },
		func() { c.Write(req) },
		func() { c.SendFD(int(inR.Fd())) },
		func() { c.SendFD(int(outW.Fd())) },
		func() { c.SendFD(int(outW.Fd())) },
		func() { c.ReadReply() },
		func() { go inW.Write(make([]byte, 100000)) },
		func() { outR.Read(make([]byte, 10000)) },
	}
	for _, step := range steps[:rand.IntN(len(steps)+1)] {
		step()
	}
	time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
}
