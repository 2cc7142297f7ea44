//go:build !linux && !darwin && !freebsd

package control

import (
	"errors"
	"syscall"
)

// errPeerUnknown is the answer of a system that cannot tell who connected.
// Whoever cannot be told is refused.
var errPeerUnknown = errors.New("this system does not tell who connected")

// peerPID is not told: 0.
func peerPID(syscall.Conn) int { return 0 }

// peerUID refuses: an unknown peer must not be taken for a friend.
func peerUID(syscall.Conn) (int, error) { return 0, errPeerUnknown }
