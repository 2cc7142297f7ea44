package upstream

import (
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Info describes a link at one moment, as -O conninfo and ~I show it.
type Info struct {
	Local, Remote net.Addr // of TCP, unless a ProxyCommand or a jump host carries the bytes
	Proxied       bool     // reached through a ProxyCommand or a jump host
	Started       time.Time
	Age           time.Duration
	Silence       time.Duration // since the last byte from the server
	RoundTrip     time.Duration // of the last answered keepalive; 0 before there was one

	ClientVersion, ServerVersion string // as exchanged, "SSH-2.0-...", control characters removed
	Algorithms                   ssh.NegotiatedAlgorithms

	// Bytes as they are on the wire. Packets are counted by writes and reads:
	// outgoing exactly but for rare sizes, incoming as a fair guess, since
	// several can come in one read and one in several.
	BytesIn, BytesOut     uint64
	PacketsIn, PacketsOut uint64
}

// Info returns the link's present state. It also works after the link's end.
func (l *Link) Info() Info {
	info := Info{
		Local:         l.conn.LocalAddr(),
		Remote:        l.conn.RemoteAddr(),
		Started:       l.started,
		Age:           l.wire.age(),
		Silence:       l.wire.silence(),
		RoundTrip:     l.RoundTrip(),
		ClientVersion: clean(string(l.conn.ClientVersion())),
		ServerVersion: clean(string(l.conn.ServerVersion())),
		BytesIn:       l.wire.bytesIn.Load(),
		BytesOut:      l.wire.bytesOut.Load(),
		PacketsIn:     l.wire.packetsIn.Load(),
		PacketsOut:    l.wire.packetsOut.Load(),
	}
	_, network := info.Remote.(*net.TCPAddr)
	_, helped := beneath[*proxied](l.wire.Conn)
	info.Proxied = helped || !network
	if c, ok := l.conn.(ssh.AlgorithmsConnMetadata); ok {
		info.Algorithms = c.Algorithms()
	}
	return info
}
