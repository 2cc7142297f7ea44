package muxproto

import (
	"fmt"
	"strings"
	"syscall"
)

// maxPath is the longest path of a unix socket, in bytes: 107 on Linux, 103
// elsewhere. The last byte of its field is a NUL.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// socketAddress is path as package net wants it.
func socketAddress(path string) (string, error) {
	switch {
	case path == "":
		return "", fmt.Errorf("muxproto: no path of a control socket given")
	case len(path) > maxPath:
		return "", fmt.Errorf("muxproto: control path %q is %d bytes long, the system allows %d", path, len(path), maxPath)
	case strings.HasPrefix(path, "@"):
		// net takes this for a name in Linux' abstract namespace. ssh has no such names.
		return "./" + path, nil
	}
	return path, nil
}
