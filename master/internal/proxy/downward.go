package proxy

import (
	"io"
	"sync"
)

// A read of a channel says nothing beforehand, so somebody must hold a buffer for
// it: a small one while a stream is quiet, which also finds the end of a stream
// that the slave has no window for, and a large one from a pool while reads come
// back full and the slave takes what was read.
const (
	quietBuffer = 1 << 10
	quietStderr = 256
	bulkBuffer  = 2 * maxPacket
	stayBulk    = 8 << 10 // reads of less than this make a stream quiet again
	maxPerWrite = maxParts / 4
)

var bulkBuffers = sync.Pool{New: func() any { return new([bulkBuffer]byte) }}

// carry copies one stream of the host's to the slave until it ends. What the
// slave does not want any more is read and thrown away, because what nobody reads
// holds up the host.
func (c *channel) carry(from io.Reader, extended bool) {
	defer c.outputEnded()
	size := quietBuffer
	if extended {
		size = quietStderr
	}
	d := newDelivery()
	quiet := make([]byte, size)
	for {
		n, err := from.Read(quiet)
		c.deliver(d, quiet[:n], extended)
		if err == nil && n == size {
			err = c.carryBulk(d, from, extended)
		}
		if err != nil {
			return
		}
	}
}

// carryBulk copies with a large buffer as long as there is much to read and the
// slave has a window for it.
func (c *channel) carryBulk(d *delivery, from io.Reader, extended bool) error {
	buf := bulkBuffers.Get().(*[bulkBuffer]byte)
	defer bulkBuffers.Put(buf)
	for {
		room := c.room()
		if room == 0 {
			return nil
		}
		n, err := from.Read(buf[:min(room, bulkBuffer)])
		c.deliver(d, buf[:n], extended)
		if err != nil || n < stayBulk {
			return err
		}
	}
}

// outputEnded tells the slave of the end of all output (RFC 4254 section 5.3).
func (c *channel) outputEnded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outputs--; c.outputs == 0 && !c.gone && !c.slaveClosed {
		c.slave.out.post(packet{kind: msgEOF, channel: c.peer})
	}
}

// deliver sends data as the slave's window allows, in as few writes as possible.
func (c *channel) deliver(d *delivery, p []byte, extended bool) {
	for len(p) > 0 {
		n := c.spend(len(p))
		if n == 0 {
			return
		}
		d.frame(c.peer, extended, p[:n], int(c.peerMax))
		if c.slave.out.send(d) != nil {
			return
		}
		c.slave.cfg.In.Add(uint64(n))
		p = p[n:]
	}
}

// room is how much the slave takes at the moment. A slave that wants nothing any
// more takes all.
func (c *channel) room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.slaveClosed {
		return bulkBuffer
	}
	return int(min(c.peerWindow, bulkBuffer))
}

// spend waits for window and takes some of it, for at most want bytes and as many
// packets as go into one write. It returns 0 when the data is unwanted: the slave
// has left, or has closed the channel and so gives no more window.
func (c *channel) spend(want int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.peerWindow == 0 && !c.gone && !c.slaveClosed {
		c.changed.Wait()
	}
	if c.gone {
		return 0
	}
	n := min(uint32(want), c.peerWindow, maxPerWrite*c.peerMax)
	c.peerWindow -= n
	return int(n)
}

// adjust takes the slave's WINDOW_ADJUST.
func (c *channel) adjust(n uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peerWindow+n < n {
		return fault("a window of more than 4 GiB")
	}
	c.peerWindow += n
	c.changed.Broadcast()
	return nil
}

// frame makes data packets of at most most bytes out of p, which is not copied.
func (d *delivery) frame(channel uint32, extended bool, p []byte, most int) {
	if need := (len(p) + most - 1) / most * extendedHeader; cap(d.headers) < need {
		d.headers = make([]byte, 0, need)
	}
	d.headers, d.parts = d.headers[:0], d.parts[:0]
	for len(p) > 0 {
		n := min(len(p), most)
		start := len(d.headers)
		d.headers = appendDataHeader(d.headers, channel, extended, n)
		d.parts = append(d.parts, d.headers[start:], p[:n])
		p = p[n:]
	}
}
