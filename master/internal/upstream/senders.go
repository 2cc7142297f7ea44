package upstream

import (
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// bulkPacket is from how many bytes a packet is one of bulk.
	bulkPacket = 16 << 10

	// together is for how long two are taken to send at once, after one has sent
	// after the other.
	together = 10 * time.Millisecond
)

// Senders are the channels that send bulk. When several do, their packets are
// gathered: uploads of four streams take 0.89 of the time and 0.85 of the
// processor's time (streams-4-upload, 20 rounds of 10 pairs of masters). One alone
// took 1.05 to 1.08 of the time with it: the server waits for the second packet.
type senders struct {
	mu   sync.Mutex
	last ssh.Channel
	turn time.Time // when another one than before sent
}

// several notes that ch sends and says whether others do, too.
func (s *senders) several(ch ssh.Channel, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last != ch {
		s.turn = now
	}
	s.last = ch
	return now.Sub(s.turn) < together
}

// A gatherer is a connection that can wait for more before it sends.
type gatherer interface {
	net.Conn
	gather(on bool)
}

// Sends is to be called when ch is about to send n bytes.
func (l *Link) Sends(ch ssh.Channel, n int) {
	if n >= bulkPacket && l.gatherer != nil {
		l.gatherer.gather(l.senders.several(ch, time.Now()))
	}
}
