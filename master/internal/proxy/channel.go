package proxy

import (
	"sync"

	"golang.org/x/crypto/ssh"
)

// A channel is one channel of the slave's and the one to the host that it is
// joined with.
//
//	CHANNEL_OPEN of the slave ──▶ opening ──the host confirms──▶ open ──▶ closed both ways: forgotten
//	channel of the host's ──▶ offered ──the slave confirms──▶ open
//	opening, offered ──refused──▶ forgotten
//
// When the slave leaves, an open channel is closed towards the host and lives on
// until the host has closed it too.
type channel struct {
	slave   *slave
	id      uint32         // the slave's name for us: its recipient number
	size    uint32         // of the window that the slave was given
	busy    func()         // ends what Busy began
	offered ssh.NewChannel // the host's, nil when the slave opened
	up      upward

	sawEOF bool // the reader's: the slave's data has ended

	replying sync.Mutex // held while the host is given answers, to keep their order

	mu          sync.Mutex
	changed     sync.Cond // signalled when more may be sent to the slave, or nothing has to be any more
	open        bool
	peer        uint32      // the slave's number
	peerWindow  uint32      // how much the slave can take, in bytes
	peerMax     uint32      // the longest data packet that it can take
	window      uint32      // how much the slave may send, in bytes
	consumed    uint32      // taken by the host and not given back to the slave yet
	outputs     int         // streams of the host that have not ended
	slaveClosed bool        // the slave sent CLOSE
	closeSent   bool        // the slave was sent CLOSE
	gone        bool        // the slave has left
	questions   []*question // of the host, in order, unanswered
}

// A question is a request of the host's on its way to the slave and back.
type question struct {
	req      *ssh.Request
	answered bool
	ok       bool
}

func (c *channel) init(s *slave) {
	c.slave = s
	c.changed.L = &c.mu
	c.outputs = 2
	c.up.count = s.cfg.Out
	c.up.credit = c.credit
	c.up.held = func(n int) { s.held.Add(int64(n)) }
	c.up.answer = c.answer
}

// establish joins the channel with one to the host.
func (c *channel) establish(ch ssh.Channel, reqs <-chan *ssh.Request) {
	c.mu.Lock()
	gone := c.gone
	if !c.open {
		c.open = true
		c.slave.out.post(packet{kind: msgOpenConfirmation, channel: c.peer, sender: c.id, window: c.window, max: maxPacket})
	}
	c.mu.Unlock()
	c.up.attach(ch)
	go c.run(ch, reqs)
	if gone {
		c.up.close()
	}
}

// run carries what the host sends until the host has closed the channel.
func (c *channel) run(ch ssh.Channel, reqs <-chan *ssh.Request) {
	var outputs sync.WaitGroup
	outputs.Go(func() { c.carry(ch, false) })
	outputs.Go(func() { c.carry(ch.Stderr(), true) })
	c.relay(reqs)
	outputs.Wait()
	c.up.finish()
	c.busy()
	c.hostClosed()
}

// hostClosed tells the slave that the host has closed the channel, after all that
// it sent before.
func (c *channel) hostClosed() {
	c.mu.Lock()
	c.closeSent = true
	if !c.gone {
		c.slave.out.post(packet{kind: msgClose, channel: c.peer})
	}
	over := c.slaveClosed
	c.mu.Unlock()
	if over {
		c.slave.remove(c)
	}
}

// closed takes the slave's CLOSE.
func (c *channel) closed() {
	c.mu.Lock()
	c.slaveClosed = true
	c.changed.Broadcast()
	over := c.closeSent
	c.mu.Unlock()
	if over {
		c.slave.remove(c)
		return
	}
	c.up.close()
}

// leave closes the channel towards the host because the slave has left.
func (c *channel) leave() {
	c.mu.Lock()
	c.gone = true
	c.changed.Broadcast()
	for _, q := range c.questions {
		q.answered = true
	}
	open := c.open
	c.mu.Unlock()
	switch {
	case open:
		go c.reply()
		c.up.close()
	case c.offered != nil:
		c.refuse(ssh.ConnectionFailed, "open failed")
	}
}

// data takes a data packet, and the memory it was read into if it says so.
func (c *channel) data(m *packet, in *chunk) (taken bool, err error) {
	n := uint32(len(m.data))
	if err := c.take(n); err != nil || n == 0 {
		return false, err
	}
	if c.sawEOF || m.kind == msgExtendedData && m.code != stderr {
		c.credit(int(n)) // nobody wants it, or can send it on
		return false, nil
	}
	return c.up.data(m.kind, m.data, in), nil
}

// take takes the window that a packet uses.
func (c *channel) take(n uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > maxPacket {
		return fault("a data packet of %d bytes", n)
	}
	if n > c.window {
		return fault("%d bytes of data in a window of %d", n, c.window)
	}
	c.window -= n
	return nil
}

// credit gives back to the slave what the host has taken, in large pieces.
func (c *channel) credit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.consumed += uint32(n)
	if c.consumed < c.size/4 || c.closeSent || c.slaveClosed || c.gone {
		return
	}
	c.slave.out.post(packet{kind: msgWindowAdjust, channel: c.peer, window: c.consumed})
	c.window += c.consumed
	c.consumed = 0
}

// answer tells the slave what the host said to its request.
func (c *channel) answer(ok bool) {
	kind := byte(msgFailure)
	if ok {
		kind = msgSuccess
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone && !c.closeSent {
		c.slave.out.post(packet{kind: kind, channel: c.peer})
	}
}
