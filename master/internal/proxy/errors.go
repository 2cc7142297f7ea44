package proxy

import (
	"errors"
	"fmt"
)

// ErrProtocol is a slave that breaks the rules of the connection protocol. It
// ends that slave alone.
var ErrProtocol = errors.New("proxy: the slave breaks the SSH connection protocol")

// errDeaf is a slave that does not read what it asked for.
var errDeaf = errors.New("proxy: the slave does not read")

// fault says what a slave did wrong.
func fault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
