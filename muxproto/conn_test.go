package muxproto_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

func TestMessagesInOneWrite(t *testing.T) {
	// On this kind of socket each write(2) is a record of its own.
	x, y := pair(t, syscall.SOCK_SEQPACKET)
	require.NoError(t, muxproto.NewConn(x).Write(&muxproto.TTYAllocFail{SessionID: 1}, &muxproto.ExitMessage{SessionID: 1}))
	record := make([]byte, 100)
	n, err := y.Read(record)
	require.NoError(t, err)
	want := muxproto.Append(muxproto.Append(nil, &muxproto.TTYAllocFail{SessionID: 1}), &muxproto.ExitMessage{SessionID: 1})
	require.Equal(t, want, record[:n])
}

func TestPipelinedAndDribbled(t *testing.T) {
	a, b := conns(t)
	var stream []byte
	for i := range uint32(3) {
		stream = muxproto.Append(stream, &muxproto.AliveCheck{RequestID: i})
	}
	done := make(chan error, 1)
	go func() {
		_, err := a.UnixConn().Write(stream)
		for _, c := range stream {
			if err == nil {
				_, err = a.UnixConn().Write([]byte{c})
			}
		}
		done <- err
	}()
	for i := range uint32(6) {
		m, err := b.ReadRequest()
		require.NoError(t, err)
		require.Equal(t, &muxproto.AliveCheck{RequestID: i % 3}, m)
	}
	require.NoError(t, <-done)
}

func TestUnknownTypeLeavesTheConnUsable(t *testing.T) {
	a, b := conns(t)
	_, err := a.UnixConn().Write([]byte{0, 0, 0, 9, 0x10, 0, 0, 0x99, 0, 0, 0, 5, 'x'})
	require.NoError(t, err)
	require.NoError(t, a.Write(&muxproto.AliveCheck{RequestID: 6}))
	_, err = b.ReadRequest()
	require.Equal(t, &muxproto.UnknownTypeError{Type: 0x10000099, RequestID: 5}, err)
	m, err := b.ReadRequest()
	require.NoError(t, err)
	require.Equal(t, &muxproto.AliveCheck{RequestID: 6}, m)
}

// TestBadHeader: the header alone decides. Nothing follows it here, and the
// connection stays open.
func TestBadHeader(t *testing.T) {
	for header, want := range map[string]error{
		"\x00\x04\x00\x01": muxproto.ErrTooLarge,
		"\xff\xff\xff\xff": muxproto.ErrTooLarge,
		"\x00\x00\x00\x00": muxproto.ErrMalformed,
		"\x00\x00\x00\x03": muxproto.ErrMalformed,
	} {
		a, b := conns(t)
		_, err := a.UnixConn().Write([]byte(header))
		require.NoError(t, err)
		for range 2 {
			_, err = b.ReadRequest()
			require.ErrorIs(t, err, want, "%x", header)
		}
	}
}

func TestLargestFrame(t *testing.T) {
	a, b := conns(t)
	m := &muxproto.NewSession{}
	m.Command = strings.Repeat("c", muxproto.MaxFrame-len(body(m)))
	done := make(chan error, 1)
	go func() { done <- a.Write(m) }()
	got, err := b.ReadRequest()
	require.NoError(t, err)
	require.Equal(t, m, got)
	require.NoError(t, <-done)

	m.Command += "c"
	require.ErrorIs(t, a.Write(&muxproto.AliveCheck{}, m), muxproto.ErrTooLarge)
	require.NoError(t, a.Write(&muxproto.AliveCheck{RequestID: 1}), "nothing of the message before was sent")
	got, err = b.ReadRequest()
	require.NoError(t, err)
	require.Equal(t, &muxproto.AliveCheck{RequestID: 1}, got)
}

// TestMemoryFollowsBytes: sixty headers that promise 256 KiB each and a single
// byte of it do not cost 15 MiB.
func TestMemoryFollowsBytes(t *testing.T) {
	var peers []*muxproto.Conn
	for range 60 {
		a, b := conns(t)
		_, err := a.UnixConn().Write([]byte{0, 4, 0, 0, 'x'})
		require.NoError(t, err)
		peers = append(peers, b)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, b := range peers {
		require.NoError(t, b.SetReadDeadline(time.Now().Add(2*time.Millisecond)))
		_, err := b.ReadRequest()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// TestDeadlineLosesNothing cuts the reading of one message short after each of
// its bytes.
func TestDeadlineLosesNothing(t *testing.T) {
	a, b := conns(t)
	for _, c := range muxproto.Append(nil, session(1, "uptime")) {
		require.NoError(t, b.SetReadDeadline(time.Unix(1, 0)))
		_, err := b.ReadRequest()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = a.UnixConn().Write([]byte{c})
		require.NoError(t, err)
		require.NoError(t, b.SetReadDeadline(time.Now().Add(50*time.Microsecond)))
		if m, err := b.ReadRequest(); err == nil {
			require.Equal(t, session(1, "uptime"), m)
			return
		}
	}
	require.NoError(t, b.SetReadDeadline(time.Time{}))
	m, err := b.ReadRequest()
	require.NoError(t, err)
	require.Equal(t, session(1, "uptime"), m)
}

func TestWritersDoNotInterleave(t *testing.T) {
	a, b := conns(t)
	const writers, each = 8, 50
	var done sync.WaitGroup
	for i := range uint32(writers) {
		done.Go(func() {
			reason := strings.Repeat(fmt.Sprint(i), int(1+i*3000))
			for range each {
				if a.Write(&muxproto.Failure{RequestID: i, Reason: reason}, &muxproto.OK{RequestID: i}) != nil {
					return
				}
			}
		})
	}
	for range writers * each {
		first, err := b.ReadReply()
		require.NoError(t, err)
		second, err := b.ReadReply()
		require.NoError(t, err)
		require.Equal(t, first.(*muxproto.Failure).RequestID, second.(*muxproto.OK).RequestID)
	}
	done.Wait()
}

// TestBrokenInTheMidst: after half a message nothing may follow.
func TestBrokenInTheMidst(t *testing.T) {
	a, b := conns(t)
	large := &muxproto.Failure{Reason: strings.Repeat("x", 200<<10)}
	written := make(chan error, 1)
	go func() { written <- a.Write(large, large, large, large) }()
	_, err := io.ReadFull(b.UnixConn(), make([]byte, 1)) // it has begun
	require.NoError(t, err)
	require.NoError(t, a.SetWriteDeadline(time.Unix(1, 0)))
	require.ErrorIs(t, <-written, os.ErrDeadlineExceeded)
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(patience)))
	go func() { _, _ = io.Copy(io.Discard, b.UnixConn()) }()
	require.ErrorContains(t, a.Write(&muxproto.OK{}), "in the midst of a message")
	require.ErrorContains(t, a.WritePacket([]byte{80}), "in the midst of a message")
	require.ErrorContains(t, a.SendFD(0), "in the midst of a message")
	require.NoError(t, a.Close())
}

// TestADeadlineBeforeTheFirstByte breaks nothing.
func TestADeadlineBeforeTheFirstByte(t *testing.T) {
	a, b := conns(t)
	require.NoError(t, a.SetWriteDeadline(time.Unix(1, 0)))
	require.ErrorIs(t, a.Write(&muxproto.OK{}), os.ErrDeadlineExceeded)
	require.NoError(t, a.SetDeadline(time.Time{}))
	require.NoError(t, a.Write(&muxproto.OK{RequestID: 2}))
	m, err := b.ReadReply()
	require.NoError(t, err)
	require.Equal(t, &muxproto.OK{RequestID: 2}, m)
}

func TestCloseUnblocks(t *testing.T) {
	noLeak(t, func() {
		a, b := conns(t)
		done := make(chan error, 2)
		go func() {
			_, err := a.ReadReply()
			done <- err
		}()
		go func() {
			var err error
			for err == nil {
				err = a.Write(&muxproto.Failure{Reason: strings.Repeat("x", 100<<10)})
			}
			done <- err
		}()
		// The writer has written, and waits: nobody reads at the other end.
		one := make([]byte, 1)
		_, err := io.ReadFull(b.UnixConn(), one)
		require.NoError(t, err)
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-done, net.ErrClosed)
		require.ErrorIs(t, <-done, net.ErrClosed)
		require.ErrorIs(t, a.Close(), net.ErrClosed)
		require.NoError(t, b.Close())
	})
}

func TestPackets(t *testing.T) {
	for _, r := range append(distinct(t), load(t, "replies", "proxy")) {
		for _, e := range r.events {
			if e.kind != "packet" {
				continue
			}
			a, b := conns(t)
			_, err := a.UnixConn().Write(e.frame)
			require.NoError(t, err)
			packet, err := b.ReadPacket(nil)
			require.NoError(t, err)
			require.Equal(t, e.frame[5:], packet)
			require.NoError(t, b.WritePacket(packet[:1], packet[1:4], packet[4:]))
			again, err := readFrame(a.UnixConn())
			require.NoError(t, err)
			require.Equal(t, e.frame, again)
		}
	}
}

func TestPacketLimits(t *testing.T) {
	for header, want := range map[string]error{
		"\x00\x04\x00\x01": muxproto.ErrTooLarge,
		"\x00\x00\x00\x00": muxproto.ErrMalformed,
		"\x00\x00\x00\x01": muxproto.ErrMalformed,
	} {
		a, b := conns(t)
		_, err := a.UnixConn().Write([]byte(header))
		require.NoError(t, err)
		_, err = b.ReadPacket(nil)
		require.ErrorIs(t, err, want, "%x", header)
	}
	a, b := conns(t)
	require.ErrorIs(t, a.WritePacket(), muxproto.ErrMalformed)
	require.ErrorIs(t, a.WritePacket(make([]byte, muxproto.MaxPacket), []byte{1}), muxproto.ErrTooLarge)
	done := make(chan error, 1)
	go func() {
		defer a.Close()
		for _, n := range []int{muxproto.MaxPacket, 1} {
			if err := a.WritePacket(make([]byte, n)); err != nil {
				done <- err
				return
			}
		}
		_, err := a.UnixConn().Write([]byte{0, 0, 0, 2, 0})
		done <- err
	}()
	buf := make([]byte, 10)
	large, err := b.ReadPacket(buf)
	require.NoError(t, err)
	require.Len(t, large, muxproto.MaxPacket)
	small, err := b.ReadPacket(buf)
	require.NoError(t, err)
	require.Len(t, small, 1)
	require.Same(t, &buf[0], &small[0], "the buffer was large enough")
	_, err = b.ReadPacket(buf)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, <-done)
}

// TestPacketParts: what was given to WritePacket is as before.
func TestPacketParts(t *testing.T) {
	a, b := conns(t)
	parts := [][]byte{{94, 0, 0, 0, 1}, {0, 0, 0, 2}, []byte("hi")}
	for range 3 {
		require.NoError(t, a.WritePacket(parts...))
		packet, err := b.ReadPacket(nil)
		require.NoError(t, err)
		require.Equal(t, "\x5e\x00\x00\x00\x01\x00\x00\x00\x02hi", string(packet))
	}
	require.Equal(t, [][]byte{{94, 0, 0, 0, 1}, {0, 0, 0, 2}, []byte("hi")}, parts)
}

// TestPacketDeadline: a packet that a deadline cut short resumes, and leaves
// the caller's buffer alone meanwhile.
func TestPacketDeadline(t *testing.T) {
	a, b := conns(t)
	_, err := a.UnixConn().Write([]byte{0, 0, 0, 5, 0, 94, 'a'})
	require.NoError(t, err)
	buf := make([]byte, 10)
	require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = b.ReadPacket(buf)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	copy(buf, "##########")
	require.NoError(t, b.SetReadDeadline(time.Time{}))
	_, err = io.Copy(a.UnixConn(), iotest.OneByteReader(strings.NewReader("bc")))
	require.NoError(t, err)
	packet, err := b.ReadPacket(buf)
	require.NoError(t, err)
	require.Equal(t, "\x5eabc", string(packet))
}
