package control

import "syscall"

// peerPID is not told: 0.
func peerPID(syscall.Conn) int { return 0 }
