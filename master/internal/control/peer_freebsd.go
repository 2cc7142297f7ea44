package control

import "net"

// peerPID is not told: 0.
func peerPID(*net.UnixConn) int { return 0 }
