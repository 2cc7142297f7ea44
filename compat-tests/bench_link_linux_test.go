package compat

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// link is a network between a master and its server: everything arrives delay later, and where rate is not zero, not more
// than so many bytes a second in each direction, through a queue of so many bytes that all connections share.
type link struct {
	delay time.Duration
	rate  int
	queue int
}

// The link that separates keystrokes from bulk: what a channel's window lets through is more than it holds.
var narrow = link{delay: 50 * time.Millisecond, rate: 5 << 20, queue: 256 << 10}

const (
	wideChunk   = 32 << 10
	narrowChunk = 4 << 10

	// narrowBuffer keeps the kernel from being a second queue in front of the link's.
	narrowBuffer = 64 << 10

	// oversleep is what a link makes up for when it was woken late.
	oversleep = 5 * time.Millisecond

	// underWay is how many chunks one connection may have under way: more than any window holds.
	underWay = 8192
)

// start begins to relay to a port of the loopback and returns the port to use instead of it.
func (l link) start(t testing.TB, port int) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	up, down := l.lane(t), l.lane(t)
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				_ = near.Close()
				continue
			}
			go l.carry(up, near.(*net.TCPConn), far.(*net.TCPConn))
			go l.carry(down, far.(*net.TCPConn), near.(*net.TCPConn))
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// chunk is some bytes on their way to a connection; none are its end.
type chunk struct {
	bytes []byte
	due   time.Time
	to    chan<- chunk
}

// lane is one direction of a link: the queue that its connections share.
type lane struct {
	chunks chan chunk
	ended  chan struct{}
}

func (l link) lane(t testing.TB) lane {
	ln := lane{chunks: make(chan chunk, max(1, l.queue/narrowChunk)), ended: make(chan struct{})}
	t.Cleanup(func() { close(ln.ended) })
	go l.drive(ln)
	return ln
}

// enter waits for room in the queue. It is false when the link has ended.
func (ln lane) enter(c chunk) bool {
	select {
	case ln.chunks <- c:
		return true
	case <-ln.ended:
		return false
	}
}

// drive lets a lane's chunks out at the rate of the link and says when each arrives.
func (l link) drive(ln lane) {
	var free time.Time // when the link can take the next byte
	for {
		select {
		case c := <-ln.chunks:
			leaves := time.Now()
			if l.rate > 0 {
				if earliest := leaves.Add(-oversleep); free.Before(earliest) {
					free = earliest
				}
				free = free.Add(time.Duration(len(c.bytes)) * time.Second / time.Duration(l.rate))
				time.Sleep(time.Until(free))
				leaves = free
			}
			c.due = leaves.Add(l.delay)
			c.to <- c
		case <-ln.ended:
			return
		}
	}
}

// carry takes one direction of a connection into its lane; what comes out of it is written when it is due.
func (l link) carry(ln lane, from, to *net.TCPConn) {
	arriving := make(chan chunk, underWay)
	go arrive(arriving, to)
	size := wideChunk
	if l.rate > 0 {
		size = narrowChunk
		_ = from.SetReadBuffer(narrowBuffer)
	}
	for {
		buf := make([]byte, size)
		n, err := from.Read(buf)
		if n > 0 && !ln.enter(chunk{bytes: buf[:n], to: arriving}) {
			_ = from.Close()
			return
		}
		if err != nil {
			ln.enter(chunk{to: arriving})
			return
		}
	}
}

// arrive writes what is due until the end of it.
func arrive(arriving <-chan chunk, to *net.TCPConn) {
	for c := range arriving {
		time.Sleep(time.Until(c.due))
		if c.bytes == nil {
			_ = to.CloseWrite()
			return
		}
		_, _ = to.Write(c.bytes)
	}
}
