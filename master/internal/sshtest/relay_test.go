package sshtest_test

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"sshmaster/master/internal/sshtest"

	"github.com/stretchr/testify/require"
)

// relayed returns a relay to an echo server.
func relayed(t *testing.T) *sshtest.Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echo(t, l)
	return sshtest.NewRelay(t, l.Addr().String())
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

func TestRelayCarries(t *testing.T) {
	sshtest.NoLeaks(t)
	r := relayed(t)
	exchange(t, dial(t, r.Addr()))
	r.Delay(20 * time.Millisecond)
	r.Narrow(1 << 20)
	begun := time.Now()
	exchange(t, dial(t, r.Addr()))
	require.GreaterOrEqual(t, time.Since(begun), 40*time.Millisecond, "both ways")
	require.Equal(t, 2, r.Accepted())
}

func TestRelayFreezes(t *testing.T) {
	sshtest.NoLeaks(t)
	r := relayed(t)
	silent := func(nc *net.TCPConn) {
		t.Helper()
		nc.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		_, err := nc.Read(make([]byte, 1))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
		nc.SetReadDeadline(time.Time{})
	}
	first := dial(t, r.Addr())
	require.Eventually(t, func() bool { return r.Accepted() == 1 }, 10*time.Second, time.Millisecond)
	r.FreezePresent()
	io.WriteString(first, "a")
	require.NoError(t, first.CloseWrite())
	silent(first)
	exchange(t, dial(t, r.Addr()))
	r.Freeze()
	second := dial(t, r.Addr())
	silent(second)
	r.Thaw()
	exchange(t, second)
	all, err := io.ReadAll(first)
	require.NoError(t, err)
	require.Equal(t, "a", string(all), "nothing was lost")
}

func TestRelayCuts(t *testing.T) {
	sshtest.NoLeaks(t)
	r := relayed(t)
	for i := range 2 {
		nc := dial(t, r.Addr())
		require.Eventually(t, func() bool { return r.Accepted() == i+1 }, 10*time.Second, time.Millisecond)
		r.Cut()
		_, err := nc.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		r.Freeze() // the second time
	}
}

func TestRelayPassesFailureOn(t *testing.T) {
	sshtest.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := sshtest.NewRelay(t, l.Addr().String())
	nc := dial(t, r.Addr())
	far, err := l.Accept()
	require.NoError(t, err)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	_, err = nc.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, io.EOF)
	l.Close()
	late, err := net.Dial("tcp", r.Addr())
	if err == nil { // the reset may already be there
		defer late.Close()
		_, err = late.Read(make([]byte, 1))
	}
	require.ErrorIs(t, err, syscall.ECONNRESET, "no target")
}
