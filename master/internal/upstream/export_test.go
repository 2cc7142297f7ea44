package upstream

import "net"

// Wire is the connection that carries the link.
func (l *Link) Wire() net.Conn { return l.wire.Conn }
