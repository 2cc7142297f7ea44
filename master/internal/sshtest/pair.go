package sshtest

import (
	"io"
	"net"
	"sync"
	"time"
)

// relayed is how many chunks a direction may have under way: with a delay, this and the chunk's size bound its speed.
const (
	relayed   = 256
	chunkSize = 16 << 10
)

// pair is one connection through a relay.
type pair struct {
	relay  *Relay
	client *net.TCPConn
	gone   chan struct{} // closed by reset

	// under the relay's lock
	target *net.TCPConn  // nil until dialled
	frozen chan struct{} // as Relay.frozen, for this connection
	cut    bool
}

// chunk is what one read gave and when it may leave; no bytes: the sender ended its half.
type chunk struct {
	due  time.Time
	data []byte
}

// reset ends both connections as a network does that lost them; the relay's lock is held.
func (p *pair) reset() {
	if p.cut {
		return
	}
	p.cut = true
	close(p.gone)
	for _, nc := range []*net.TCPConn{p.client, p.target} {
		if nc != nil {
			nc.SetLinger(0)
			nc.Close()
		}
	}
}

// abort passes a connection's failure on to the other one.
func (p *pair) abort() {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	p.reset()
}

// join adds the target's connection, unless the pair was cut meanwhile.
func (p *pair) join(target *net.TCPConn) bool {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	p.target = target
	return !p.cut
}

// awaitThaw waits while the connection is frozen; false when it was cut.
func (p *pair) awaitThaw() bool {
	for {
		p.relay.mu.Lock()
		frozen, cut := p.relay.frozen, p.cut
		if frozen == nil {
			frozen = p.frozen
		}
		p.relay.mu.Unlock()
		if frozen == nil || cut {
			return !cut
		}
		select {
		case <-frozen:
		case <-p.gone:
			return false
		}
	}
}

// carry moves bytes in one direction until its sender ends it or the pair is cut.
func (p *pair) carry(to, from *net.TCPConn) {
	chunks := make(chan chunk, relayed)
	var sending sync.WaitGroup
	sending.Go(func() { p.send(to, chunks) })
	p.receive(from, chunks)
	close(chunks)
	sending.Wait()
}

// receive reads only while nothing is frozen, so that the sender feels the back-pressure of a silent network.
func (p *pair) receive(from *net.TCPConn, chunks chan<- chunk) {
	for p.awaitThaw() {
		buf := make([]byte, chunkSize)
		n, err := from.Read(buf)
		p.relay.mu.Lock()
		due := time.Now().Add(p.relay.delay)
		p.relay.mu.Unlock()
		if n > 0 && !p.put(chunks, chunk{due, buf[:n]}) {
			return
		}
		switch {
		case err == io.EOF:
			p.put(chunks, chunk{due, nil})
			return
		case err != nil:
			p.abort()
			return
		}
	}
}

func (p *pair) put(chunks chan<- chunk, c chunk) bool {
	select {
	case chunks <- c:
		return true
	case <-p.gone:
		return false
	}
}

// send writes each chunk when it is due, thawed and, on a narrow network, when its turn has come.
func (p *pair) send(to *net.TCPConn, chunks <-chan chunk) {
	var free time.Time // when a narrow network can take the next chunk
	for c := range chunks {
		if free.After(c.due) {
			c.due = free
		}
		if !p.sleepUntil(c.due) || !p.awaitThaw() {
			return // cut: the receiver knows it too
		}
		if c.data == nil {
			to.CloseWrite()
			return
		}
		if _, err := to.Write(c.data); err != nil {
			p.abort()
			return
		}
		free = time.Now().Add(p.duration(len(c.data)))
	}
}

// duration is how long a narrow network is busy with n bytes.
func (p *pair) duration(n int) time.Duration {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	if p.relay.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(p.relay.rate)
}

// sleepUntil returns at that time, or false as soon as the pair is cut.
func (p *pair) sleepUntil(due time.Time) bool {
	d := time.Until(due)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.gone:
		return false
	}
}
