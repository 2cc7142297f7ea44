package control

import "net"

// SameUser says why the peer of a connection is not spoken with: it is neither the
// user who runs this process nor root.
func SameUser(conn *net.UnixConn) error { return checkPeer(conn) }
