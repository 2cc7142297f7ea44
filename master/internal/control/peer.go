package control

import (
	"fmt"
	"os"
	"syscall"
)

// SameUser admits the user who runs this process, and root. Everybody else has
// no business here, whatever the mode of the socket says.
func SameUser(conn syscall.Conn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("multiplex peer: %w", err)
	}
	if own := os.Getuid(); uid != 0 && uid != own {
		return fmt.Errorf("multiplex uid mismatch: peer euid %d != uid %d", uid, own)
	}
	return nil
}
