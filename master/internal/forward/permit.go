package forward

import (
	"net"
	"strings"
)

// permitted says whether a remote SOCKS client may be connected to t, by
// PermitRemoteOpen (ssh_config(5)): names are compared as they are written, and
// * stands for any host or any port.
func permitted(patterns []string, t target) bool {
	if len(patterns) == 0 || len(patterns) == 1 && patterns[0] == "any" {
		return true
	}
	for _, p := range patterns {
		host, port, ok := splitPattern(p)
		if ok && (host == "*" || host == t.host) && (port == "*" || port == decimal(t.port)) {
			return true
		}
	}
	return false
}

// splitPattern splits host:port, or [host]:port; a pattern without a port, such
// as "none", permits nothing. OpenSSH takes host/port as well.
func splitPattern(p string) (host, port string, ok bool) {
	if host, port, err := net.SplitHostPort(p); err == nil {
		return host, port, true
	}
	return strings.Cut(p, "/")
}
