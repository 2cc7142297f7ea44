//go:build !linux

package netchange

import "errors"

// subscribe fails: other systems have no netlink socket.
func subscribe() (source, error) { return nil, errors.ErrUnsupported }
