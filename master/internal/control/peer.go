package control

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// errPeerUnknown is the answer of a system that cannot tell who connected.
// Whoever cannot be told is refused.
var errPeerUnknown = errors.New("this system does not tell who connected")

// checkPeer admits the user who runs the master, and root. Everybody else has
// no business here, whatever the mode of the socket says.
func checkPeer(conn *net.UnixConn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("multiplex peer: %w", err)
	}
	if own := os.Getuid(); uid != 0 && uid != own {
		return fmt.Errorf("multiplex uid mismatch: peer euid %d != uid %d", uid, own)
	}
	return nil
}
