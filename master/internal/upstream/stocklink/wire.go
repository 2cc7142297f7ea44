package stocklink

import (
	"net"
	"sync/atomic"
	"time"
)

// A wire is the proxy connection, which counts what passes.
type wire struct {
	net.Conn
	began             time.Time
	in, out           atomic.Uint64
	packetsIn, writes atomic.Uint64
	heard             atomic.Int64 // nanoseconds after began
}

func newWire(nc net.Conn) *wire { return &wire{Conn: nc, began: time.Now()} }

// Read notes the sign of life.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.in.Add(uint64(n))
		w.packetsIn.Add(1)
		w.heard.Store(int64(time.Since(w.began)))
	}
	return n, err
}

// Write sends one packet: the library gives a packet to one call, and the socket
// takes calls one after the other.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.out.Add(uint64(n))
	w.writes.Add(1)
	return n, err
}
