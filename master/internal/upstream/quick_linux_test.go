//go:build !race

package upstream

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// More than the socket's buffers take is written all the same, in order, both pieces of it.
func TestQuickWritesAreWhole(t *testing.T) {
	server, client := tcpPair(t)
	q := newQuick(client)
	head, tail := bytes.Repeat([]byte("head"), 1<<20), bytes.Repeat([]byte("tail"), 4<<20)
	go func() {
		n, err := q.(*quick).writeBoth(head, tail)
		if n != len(head)+len(tail) || err != nil {
			t.Error(n, err)
		}
		q.Close()
	}()
	got, err := io.ReadAll(newQuick(server))
	require.NoError(t, err)
	require.True(t, bytes.Equal(append(bytes.Clone(head), tail...), got))
}

// What is gathered arrives whole and in order, the last packet too, after which none comes that could take it along.
func TestQuickGathersPackets(t *testing.T) {
	server, client := tcpPair(t)
	q := newQuick(client).(*quick)
	q.gather(true)
	const packets = 100
	packet := func(i int) (head, tail []byte) {
		return bytes.Repeat([]byte{byte(i)}, spill), bytes.Repeat([]byte{byte(i + 1)}, bulkPacket+i)
	}
	go func() {
		for i := range packets {
			head, tail := packet(i)
			if n, err := q.writeBoth(head, tail); n != len(head)+len(tail) || err != nil {
				t.Error(n, err)
			}
		}
	}()
	for i := range packets {
		head, tail := packet(i)
		got := make([]byte, len(head)+len(tail))
		_, err := io.ReadFull(server, got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(append(head, tail...), got), "packet %d", i)
	}
	require.Eventually(t, func() bool { return !q.pushing.Load() }, 10*time.Second, time.Millisecond)
}

// Small packets of several channels come together, and the last one as well, after which none comes that could take it
// along.
func TestQuickGathersSmallPackets(t *testing.T) {
	server, client := tcpPair(t)
	q := newQuick(client).(*quick)
	q.share(true)
	read := func() []byte {
		got := make([]byte, 100)
		n, err := server.Read(got)
		require.NoError(t, err)
		return got[:n]
	}
	for round := range 50 {
		q.pushing.Store(true) // nobody pushes
		for i := range 10 {
			_, err := q.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
		q.pushing.Store(false)
		_, err := q.Write([]byte{10})
		require.NoError(t, err)
		require.Equal(t, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, read(), "round %d", round)
	}
	q.share(false)
	q.pushing.Store(true)
	_, err := q.Write([]byte{11})
	require.NoError(t, err)
	require.Equal(t, []byte{11}, read())
}

// What goes wrong is said as package net says it.
func TestQuickErrorsAreThoseOfPackageNet(t *testing.T) {
	for name, spoil := range map[string]func(server, client net.Conn){
		"closed":   func(_, client net.Conn) { client.Close() },
		"deadline": func(_, client net.Conn) { client.SetDeadline(time.Unix(1, 0)) },
		"reset": func(server, client net.Conn) {
			client.Write([]byte("unread"))
			server.(*net.TCPConn).SetLinger(0)
			server.Close()
		},
		"end": func(server, _ net.Conn) { server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			outcomes := func(dress func(net.Conn) net.Conn) (read, wrote error) {
				server, client := tcpPair(t)
				spoil(server, client)
				c := dress(client)
				_, read = c.Read(make([]byte, 10))
				_, wrote = c.Write(make([]byte, 10))
				return read, wrote
			}
			read, wrote := outcomes(func(c net.Conn) net.Conn { return c })
			quickRead, quickWrote := outcomes(newQuick)
			require.Equal(t, explained(read), explained(quickRead))
			require.Equal(t, explained(wrote), explained(quickWrote))
		})
	}
}

// explained is an error without the addresses in it.
func explained(err error) string {
	op, ok := err.(*net.OpError)
	if !ok {
		return words(err)
	}
	return op.Op + " " + op.Net + ": " + op.Err.Error()
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A call allocates nothing.
func TestQuickCallsAllocateNothing(t *testing.T) {
	server, client := tcpPair(t)
	from, to := newQuick(server), newQuick(client)
	buf := make([]byte, 100)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := to.Write(buf); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(from, buf); err != nil {
			t.Error(err)
		}
	}))
	require.NoError(t, to.SetReadDeadline(time.Unix(1, 0)))
	_, err := to.Read(buf)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
