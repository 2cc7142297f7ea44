package upstream

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// spill is the size of x/crypto's write buffer. A packet longer than this
// arrives here as one write of exactly so many bytes and one of the rest, and
// is counted once.
const spill = 4096

// A wire is the network connection under a link. It sees every byte and notes
// when the last one came, how long the write in progress has been going on, and
// what went wrong first.
//
// x/crypto gets the wire as its net.Conn. Anything that changes how bytes are
// read and written (read-ahead, writes held to whole packets) is a net.Conn of
// its own and belongs below the wire, handed to newWire.
type wire struct {
	net.Conn
	start time.Time // all times below are since start, on the monotonic clock

	lastRead  atomic.Int64 // nanoseconds; when bytes last came
	lastWrite atomic.Int64 // nanoseconds; when bytes last went
	writing   atomic.Int64 // nanoseconds, plus one; start of the write in progress, 0 when there is none

	bytesIn, bytesOut     atomic.Uint64
	packetsIn, packetsOut atomic.Uint64

	broken chan struct{} // closed when cause is set
	once   sync.Once
	cause  error // the first error of Read or Write; readable once broken is closed
}

func newWire(nc net.Conn) *wire {
	return &wire{Conn: nc, start: time.Now(), broken: make(chan struct{})}
}

// age is the time since the wire was made.
func (w *wire) age() time.Duration { return time.Since(w.start) }

// Read counts what came. An error is noted as the wire's cause.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.lastRead.Store(int64(w.age()))
		w.bytesIn.Add(uint64(n))
		w.packetsIn.Add(1)
	}
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// Write counts what went. After an error the connection is closed, because
// x/crypto keeps the first failed write to itself and would go on waiting for
// an answer to it.
func (w *wire) Write(p []byte) (int, error) {
	w.writing.Store(int64(w.age()) + 1)
	n, err := w.Conn.Write(p)
	w.writing.Store(0)
	w.lastWrite.Store(int64(w.age()))
	w.bytesOut.Add(uint64(n))
	if n != spill {
		w.packetsOut.Add(1)
	}
	if err != nil {
		w.fail(err)
		_ = w.Conn.Close()
	}
	return n, err
}

func (w *wire) fail(err error) {
	w.once.Do(func() {
		w.cause = err
		close(w.broken)
	})
}

// fault returns the first error of the wire, or nil.
func (w *wire) fault() error {
	select {
	case <-w.broken:
		return w.cause
	default:
		return nil
	}
}

// silence is how long ago the last byte came.
func (w *wire) silence() time.Duration {
	return w.age() - time.Duration(w.lastRead.Load())
}

// stuck is how long the write in progress has been going on, 0 when there is
// none.
func (w *wire) stuck() time.Duration {
	began := w.writing.Load()
	if began == 0 {
		return 0
	}
	return max(0, w.age()-time.Duration(began-1))
}

// owed is for how long the peer has left our last bytes without any of its own,
// 0 when it was the last to speak.
func (w *wire) owed() time.Duration {
	wrote := w.lastWrite.Load()
	if wrote <= w.lastRead.Load() {
		return 0
	}
	return w.age() - time.Duration(wrote)
}

// finish tells the peer that no more bytes will come, where the connection has
// a way to say so, and keeps the other direction open.
func (w *wire) finish() bool {
	half, ok := w.Conn.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// beneath returns the connection of type T that nc is or is wrapped around, as
// far as wrappers tell by a NetConn method.
func beneath[T net.Conn](nc net.Conn) (found T, ok bool) {
	for {
		if found, ok = nc.(T); ok {
			return found, true
		}
		wrapper, wraps := nc.(interface{ NetConn() net.Conn })
		if !wraps {
			return found, false
		}
		nc = wrapper.NetConn()
	}
}
