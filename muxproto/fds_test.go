package muxproto_test

import (
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// own makes a received descriptor a file, closed when the test ends.
func own(t testing.TB, fd int, err error) *os.File {
	t.Helper()
	require.NoError(t, err)
	f := os.NewFile(uintptr(fd), "received")
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestDescriptorsFollowTheirFrame: two requests and their descriptors are all
// there before the first is read.
func TestDescriptorsFollowTheirFrame(t *testing.T) {
	noLeak(t, func() {
		a, b := conns(t)
		defer a.Close()
		defer b.Close()
		for id, content := range []string{"one", "two"} {
			f := tempFile(t, content)
			fd := int(f.Fd())
			require.NoError(t, a.WriteFDs(session(uint32(id), "cat"), fd, fd, fd))
			require.NoError(t, f.Close(), "descriptors are lent")
		}
		for id, content := range []string{"one", "two"} {
			m, err := b.ReadRequest()
			require.NoError(t, err)
			require.Equal(t, session(uint32(id), "cat"), m)
			for i := range 3 {
				fd, err := b.ReceiveFD()
				f := own(t, fd, err)
				if i == 0 {
					got, err := io.ReadAll(f)
					require.NoError(t, err)
					require.Equal(t, content, string(got))
				}
				require.NoError(t, f.Close())
			}
		}
	})
}

func TestReceivedDescriptorsAreNotInherited(t *testing.T) {
	a, b := conns(t)
	require.NoError(t, a.SendFD(int(tempFile(t, "").Fd())))
	fd, err := b.ReceiveFD()
	own(t, fd, err)
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	require.Zero(t, errno)
	require.NotZero(t, flags&syscall.FD_CLOEXEC)
}

// TestAnyByteCarries: its value says nothing.
func TestAnyByteCarries(t *testing.T) {
	a, b := conns(t)
	sendRights(t, a, []byte{'x'}, int(tempFile(t, "").Fd()))
	fd, err := b.ReceiveFD()
	own(t, fd, err)
}

// sendRights sends descriptors in one sendmsg, which our own code never does.
func sendRights(t testing.TB, c *muxproto.Conn, data []byte, fds ...int) {
	t.Helper()
	_, _, err := c.UnixConn().WriteMsgUnix(data, syscall.UnixRights(fds...), nil)
	require.NoError(t, err)
}

func TestBadDescriptors(t *testing.T) {
	fd := int(tempFile(t, "").Fd())
	fds := func(n int) []int {
		many := make([]int, n)
		for i := range many {
			many[i] = fd
		}
		return many
	}
	for name, c := range map[string]struct {
		send func(*muxproto.Conn)
		want error
	}{
		"a plain byte":          {func(a *muxproto.Conn) { _, _ = a.UnixConn().Write([]byte{0}) }, muxproto.ErrNoDescriptor},
		"the end":               {func(a *muxproto.Conn) { _ = a.Close() }, muxproto.ErrNoDescriptor},
		"two at once":           {func(a *muxproto.Conn) { sendRights(t, a, []byte{0}, fds(2)...) }, muxproto.ErrSurplusDescriptor},
		"three at once":         {func(a *muxproto.Conn) { sendRights(t, a, []byte{0}, fds(3)...) }, muxproto.ErrSurplusDescriptor},
		"more than room for it": {func(a *muxproto.Conn) { sendRights(t, a, []byte{0}, fds(200)...) }, muxproto.ErrSurplusDescriptor},
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t, func() {
				a, b := conns(t)
				c.send(a)
				_, err := b.ReceiveFD()
				require.ErrorIs(t, err, c.want)
				require.NoError(t, b.Close())
				_ = a.Close()
			})
		})
	}
}

// TestEndAmongDescriptors: the first arrived, the second does not.
func TestEndAmongDescriptors(t *testing.T) {
	noLeak(t, func() {
		a, b := conns(t)
		defer b.Close()
		require.NoError(t, a.SendFD(0))
		require.NoError(t, a.Close())
		fd, err := b.ReceiveFD()
		require.NoError(t, own(t, fd, err).Close())
		_, err = b.ReceiveFD()
		require.ErrorIs(t, err, muxproto.ErrNoDescriptor)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

// TestDescriptorsWithinAFrame: the kernel throws away what comes where no
// descriptor belongs.
func TestDescriptorsWithinAFrame(t *testing.T) {
	noLeak(t, func() {
		a, b := conns(t)
		defer a.Close()
		defer b.Close()
		sendRights(t, a, muxproto.Append(nil, &muxproto.AliveCheck{RequestID: 1}), 0, 1)
		m, err := b.ReadRequest()
		require.NoError(t, err)
		require.Equal(t, &muxproto.AliveCheck{RequestID: 1}, m)
	})
}

func TestWithheldDescriptor(t *testing.T) {
	_, b := conns(t)
	require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := b.ReceiveFD()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// TestBadDescriptorBreaksTheConn: the peer waits for a descriptor that cannot
// come, so that nothing else may.
func TestBadDescriptorBreaksTheConn(t *testing.T) {
	a, _ := conns(t)
	require.ErrorIs(t, a.WriteFDs(session(0, "cat"), -1), syscall.EBADF)
	require.ErrorContains(t, a.Write(&muxproto.AliveCheck{}), "descriptor is missing")
}
