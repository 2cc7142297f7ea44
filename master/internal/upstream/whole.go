package upstream

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// readAhead is how much further than asked one read of the network goes. A
	// packet of 32 KiB is otherwise two or three reads, because the library's own
	// buffer has 4 KiB. It asks for what of a packet does not fit in there in one
	// piece: that comes without a detour, and the next packet with it.
	readAhead = 40 << 10

	// holdTime is how often somebody looks for the beginning of a packet that still
	// waits for the rest of it, and sends it. The library writes that in the same
	// breath, so this is a safety net, and one that no packet has a timer for: the
	// kernel programs the processor's clock anew for each sleep that may be shorter
	// than a tick, which took 10 µs of a virtual one, and an rsync 1.02 of the time.
	holdTime = 100 * time.Millisecond
)

// A whole connection moves whole packets: it reads ahead, and it holds the
// beginning of a packet back until its rest can go with it in one writev(2).
// It is what a wire lies on.
//
// x/crypto's write buffer has spill bytes. It writes a packet that is longer as
// one write of exactly so many and one of the rest. One system call instead of
// the two took an upload's time from 1.39 to 1.08 of stock's, and reading ahead a
// download's processor time from 2.8 to 1.9 (make bench, three rounds of 128 MB
// on a busy machine; the rest of what is in BENCHMARKS.md came later).
//
// One goroutine reads and one writes, as the library does.
type whole struct {
	net.Conn

	ahead      *[readAhead]byte // lent while there are bytes in it
	next, have int              // ahead[next:have] was read and not asked for yet
	more       bool             // the last read took all that was asked for

	mu    sync.Mutex   // guards what follows
	hold  bool         // see holdWrites
	begun *[spill]byte // the beginning of a packet, lent while there is one
	count uint         // of beginnings
	seen  uint         // count at the last look
	looks bool         // there will be a look
	late  *time.Timer  // made when one is held first
	err   error        // of a write that its caller believed done
	parts net.Buffers
	pair  [2][]byte
}

func newWhole(nc net.Conn) *whole { return &whole{Conn: newQuick(nc)} }

// NetConn is the connection beneath; see beneath.
func (w *whole) NetConn() net.Conn { return w.Conn }

// holdWrites begins to hold writes of exactly spill bytes. With an AEAD cipher
// such a write is never a packet: the length of one is 4 more than a multiple of
// 8. Should the peer agree on another cipher later, holdTime keeps such a packet
// from waiting for the next one.
func (w *whole) holdWrites() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = true
}

// aheads are the buffers for what is read ahead, beginnings those for what is held.
// A link that is silent has none.
var (
	aheads     = sync.Pool{New: func() any { return new([readAhead]byte) }}
	beginnings = sync.Pool{New: func() any { return new([spill]byte) }}
)

// Read reads what is there, and once there was more than was asked for, further
// than that.
func (w *whole) Read(p []byte) (n int, err error) {
	switch {
	case w.next < w.have:
		n = copy(p, w.ahead[w.next:w.have])
		w.next += n
	case w.more:
		n, err = w.readFurther(p)
	default:
		n, err = w.Conn.Read(p)
		w.more = n == len(p)
	}
	if w.ahead != nil && w.next == w.have {
		w.drop()
	}
	return n, err
}

// readFurther reads into p, and ahead what comes after it: in one call, where the
// connection has a way to, or by way of ahead. Reading all by way of ahead cost a
// download of four streams 1.03 of the time and of the processor's time (25 pairs).
func (w *whole) readFurther(p []byte) (n int, err error) {
	w.ahead = aheads.Get().(*[readAhead]byte)
	if q, ok := w.Conn.(interface {
		readBoth(p, rest []byte) (int, error)
	}); ok {
		n, err = q.readBoth(p, w.ahead[:])
		w.have = max(0, n-len(p))
		n = min(n, len(p))
	} else {
		w.have, err = w.Conn.Read(w.ahead[:])
		n = copy(p, w.ahead[:w.have])
		w.next = n
	}
	w.more = w.have == readAhead
	if n > 0 {
		err = nil // it comes again, without bytes
	}
	return n, err
}

func (w *whole) drop() {
	aheads.Put(w.ahead)
	w.ahead, w.next, w.have = nil, 0, 0
}

// Write writes p, with what was held before it, or holds it.
func (w *whole) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return 0, w.err
	case w.begun != nil:
		return w.join(p)
	case w.hold && len(p) == spill:
		w.begin(p)
		return len(p), nil
	}
	return w.Conn.Write(p)
}

// begin holds the beginning of a packet.
func (w *whole) begin(p []byte) {
	w.begun = beginnings.Get().(*[spill]byte)
	copy(w.begun[:], p)
	w.count++
	if !w.looks {
		w.lookLater()
	}
}

// lookLater has somebody look in a while. The lock is held.
func (w *whole) lookLater() {
	w.looks, w.seen = true, w.count
	if w.late == nil {
		w.late = time.AfterFunc(holdTime, w.flushLate)
	} else {
		w.late.Reset(holdTime)
	}
}

// sent gives back the memory of what was held.
func (w *whole) sent() {
	beginnings.Put(w.begun)
	w.begun = nil
}

// join sends the beginning of a packet together with its rest.
func (w *whole) join(rest []byte) (int, error) {
	n, err := w.writeBoth(w.begun[:], rest)
	w.sent()
	return max(0, n-spill), err
}

// writeBoth writes two pieces in one call, where the connection has a way to.
func (w *whole) writeBoth(p, rest []byte) (int, error) {
	if q, ok := w.Conn.(interface {
		writeBoth(p, rest []byte) (int, error)
	}); ok {
		return q.writeBoth(p, rest)
	}
	w.pair = [2][]byte{p, rest}
	w.parts = w.pair[:]
	n, err := w.parts.WriteTo(w.Conn)
	w.pair = [2][]byte{}
	return int(n), err
}

// flushLate sends by itself what has waited since the last look.
func (w *whole) flushLate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks = false
	switch {
	case w.begun == nil:
		return
	case w.seen != w.count:
		w.lookLater()
		return
	}
	_, w.err = w.Conn.Write(w.begun[:])
	w.sent()
	if w.err != nil {
		_ = w.Conn.Close() // whose write it was has long gone on
	}
}

// CloseWrite tells the peer that no more bytes will come, where the connection
// has a way to say so. It waits for nobody's write, and half a packet that is
// held is of no use to the peer.
func (w *whole) CloseWrite() error {
	half, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
