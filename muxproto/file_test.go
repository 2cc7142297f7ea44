package muxproto_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// fileConns returns two connected Conns of files. Nothing on them waits for ever.
func fileConns(t testing.TB) (a, b *muxproto.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	ends := make([]*muxproto.Conn, 2)
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		require.NoError(t, syscall.SetNonblock(fd, true))
		ends[i], err = muxproto.NewFileConn(os.NewFile(uintptr(fd), "end"))
		require.NoError(t, err)
		require.NoError(t, ends[i].SetDeadline(time.Now().Add(patience)))
		t.Cleanup(func() { _ = ends[i].Close() })
	}
	return ends[0], ends[1]
}

// A Conn of a file does what one of package net's does.
func TestFileConnsCarryEverything(t *testing.T) {
	null := tempFile(t, "something")
	noLeak(t, func() {
		a, b := fileConns(t)
		require.NoError(t, a.WriteFDs(&muxproto.NewSession{RequestID: 1, Command: "true"}, int(null.Fd()), int(null.Fd())))
		got, err := b.ReadRequest()
		require.NoError(t, err)
		require.Equal(t, "true", got.(*muxproto.NewSession).Command)
		for range 2 {
			fd, err := b.ReceiveFD()
			require.NoError(t, own(t, fd, err).Close())
		}

		// More buffers, and more bytes, than one call takes.
		parts := make([][]byte, 3000)
		for i := range parts {
			parts[i] = bytes.Repeat([]byte{byte(i)}, i%150)
		}
		packet := bytes.Join(parts, nil)
		before := bytes.Join(parts, nil)
		sent := make(chan error, 1)
		go func() { sent <- a.WritePacket(parts...) }()
		received, err := b.ReadPacket(nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(packet, received))
		require.NoError(t, <-sent)
		require.True(t, bytes.Equal(before, bytes.Join(parts, nil)), "the parts are as they were")
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
}

// What was sent before the end is read before it, by both.
func TestShutdown(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (a, b *muxproto.Conn){"net": conns, "file": fileConns} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			require.NoError(t, a.Write(&muxproto.ExitMessage{SessionID: 1, Status: 7}))
			require.NoError(t, b.Write(&muxproto.AliveCheck{RequestID: 3}))
			waits := make(chan error, 1)
			go func() {
				_, err := a.ReadRequest()
				if err == nil {
					_, err = a.ReadRequest()
				}
				waits <- err
			}()
			a.Shutdown()
			got, err := b.ReadReply()
			require.NoError(t, err)
			require.Equal(t, &muxproto.ExitMessage{SessionID: 1, Status: 7}, got)
			_, err = b.ReadReply()
			require.ErrorIs(t, err, io.EOF)
			require.ErrorIs(t, <-waits, io.EOF)
			require.ErrorIs(t, a.Write(&muxproto.AliveCheck{}), syscall.EPIPE)
			require.NoError(t, a.Close())
		})
	}
}

func TestFileConnErrors(t *testing.T) {
	a, b := fileConns(t)
	require.NoError(t, a.SetReadDeadline(time.Unix(1, 0)))
	_, err := a.ReadRequest()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.SetReadDeadline(time.Time{}))
	waits := make(chan error, 1)
	go func() {
		_, err := a.ReadRequest()
		waits <- err
	}()
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-waits, net.ErrClosed)
	require.ErrorIs(t, a.Close(), net.ErrClosed)
	require.ErrorIs(t, a.Write(&muxproto.AliveCheck{}), net.ErrClosed)
	_, err = b.ReadRequest()
	require.ErrorIs(t, err, io.EOF)

	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	if c, err := muxproto.NewFileConn(r); err == nil { // where it does not look
		_, err = c.ReceiveFD()
		require.Error(t, err)
		require.NoError(t, c.Close())
	}
}
