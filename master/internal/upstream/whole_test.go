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

// records is a connection that notes each write.
type records struct {
	net.Conn
	writes chan []byte
	err    error
	closed chan struct{}
}

func newRecords() *records {
	return &records{writes: make(chan []byte, 10), closed: make(chan struct{})}
}

func (r *records) Write(p []byte) (int, error) {
	r.writes <- bytes.Clone(p)
	return len(p), r.err
}

func (r *records) Close() error { close(r.closed); return nil }

func TestWholePacketsAreOneWrite(t *testing.T) {
	server, client := tcpPair(t)
	w := newWhole(client)
	w.holdWrites()
	head, tail := bytes.Repeat([]byte{1}, spill), bytes.Repeat([]byte{2}, 28<<10)
	for range 3 {
		n, err := w.Write(head)
		require.NoError(t, err)
		require.Equal(t, spill, n)
		n, err = w.Write(tail)
		require.NoError(t, err)
		require.Equal(t, len(tail), n)
		got := make([]byte, len(head)+len(tail))
		_, err = io.ReadFull(server, got)
		require.NoError(t, err)
		require.Equal(t, append(bytes.Clone(head), tail...), got)
	}
	require.Nil(t, w.begun, "what is held between packets")
}

// A packet of exactly that length, as ciphers without AEAD may have it, is sent although nothing follows.
func TestHeldWritesAreNotHeldForEver(t *testing.T) {
	r := newRecords()
	w := newWhole(r)
	_, err := w.Write(make([]byte, spill))
	require.NoError(t, err)
	require.Len(t, <-r.writes, spill, "before anything is held")
	w.holdWrites()
	_, err = w.Write(make([]byte, 100))
	require.NoError(t, err)
	require.Len(t, <-r.writes, 100)
	_, err = w.Write(make([]byte, spill))
	require.NoError(t, err)
	require.Len(t, <-r.writes, spill)
	_, err = w.Write(make([]byte, 5))
	require.NoError(t, err)
	require.Len(t, <-r.writes, 5)
	require.Nil(t, w.begun, "what is held between packets")
}

func TestErrorOfALateWriteIsTold(t *testing.T) {
	r := newRecords()
	r.err = io.ErrClosedPipe
	w := newWhole(r)
	w.holdWrites()
	_, err := w.Write(make([]byte, spill))
	require.NoError(t, err)
	<-r.closed
	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestReadAheadGivesEveryByte(t *testing.T) { onEachConnection(t, givesEveryByte) }

func givesEveryByte(t *testing.T, server net.Conn, w *whole) {
	sent := make([]byte, 300<<10)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	go func() {
		server.Write(sent)
		server.Close()
	}()
	var got []byte
	for size := 1; ; size = size*3 + 1 {
		buf := make([]byte, size%(100<<10)+1)
		n, err := w.Read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.True(t, bytes.Equal(sent, got))
}

func TestWholeHalfCloses(t *testing.T) {
	server, client := tcpPair(t)
	w := newWhole(client)
	require.NoError(t, w.CloseWrite())
	_, err := server.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Error(t, newWhole(newRecords()).CloseWrite())
	found, ok := beneath[*net.TCPConn](w)
	require.True(t, ok)
	require.Same(t, client, found)
}

func tcpPair(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	s, err := l.Accept()
	require.NoError(t, err)
	for _, nc := range []net.Conn{s, c} {
		require.NoError(t, nc.SetDeadline(time.Now().Add(30*time.Second)))
		t.Cleanup(func() { nc.Close() })
	}
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

// What was sent in one piece arrives in order, however it is read, and no buffer stays with a connection that is silent.
func TestReadingAhead(t *testing.T) { onEachConnection(t, readsAhead) }

func readsAhead(t *testing.T, server net.Conn, w *whole) {
	sent := make([]byte, 3*readAhead+17)
	for i := range sent {
		sent[i] = byte(i * i >> 7)
	}
	for range 3 {
		go server.Write(sent)
		var got []byte
		for size := 1; len(got) < len(sent); size = size*3%9999 + 1 {
			p := make([]byte, min(size, len(sent)-len(got)))
			n, err := w.Read(p)
			require.NoError(t, err)
			got = append(got, p[:n]...)
		}
		require.True(t, bytes.Equal(sent, got))
		require.Nil(t, w.ahead)
	}
	server.Close()
	_, err := w.Read(make([]byte, 10))
	require.ErrorIs(t, err, io.EOF)
	require.Nil(t, w.ahead)
}

// onEachConnection tests a connection that can read in two pieces, and one that cannot.
func onEachConnection(t *testing.T, test func(t *testing.T, server net.Conn, w *whole)) {
	for name, dress := range map[string]func(net.Conn) net.Conn{
		"socket":  func(c net.Conn) net.Conn { return c },
		"another": func(c net.Conn) net.Conn { return struct{ net.Conn }{c} },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := tcpPair(t)
			test(t, server, newWhole(dress(client)))
		})
	}
}

// What comes after what was asked for is read in the same call, and is there when the network is not any more.
func TestReadingAheadIsOneCall(t *testing.T) {
	onEachConnection(t, func(t *testing.T, server net.Conn, w *whole) {
		sent := bytes.Repeat([]byte("ahead "), 1000)
		_, err := server.Write(sent)
		require.NoError(t, err)
		got := make([]byte, len(sent))
		n, err := w.Read(got[:100])
		require.NoError(t, err)
		require.Equal(t, 100, n)
		n, err = w.Read(got[100:200])
		require.NoError(t, err)
		require.Equal(t, 100, n)
		require.NoError(t, w.SetReadDeadline(time.Unix(1, 0)))
		_, err = io.ReadFull(w, got[200:])
		require.NoError(t, err)
		require.Equal(t, sent, got)
		_, err = w.Read(got)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

// A packet that is held costs no memory of its own.
func TestHeldWritesAllocateNothing(t *testing.T) {
	w := newWhole(nowhere{})
	w.holdWrites()
	head, tail := make([]byte, spill), make([]byte, 100)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		w.Write(head)
		w.Write(tail)
	}))
}

// nowhere is a connection that takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
