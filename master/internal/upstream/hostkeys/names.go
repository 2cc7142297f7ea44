package hostkeys

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const defaultPort = 22

// withPort writes a name as known_hosts does.
func withPort(name string, port int) string {
	if port == 0 || port == defaultPort {
		return name
	}
	return "[" + name + "]:" + strconv.Itoa(port)
}

// name is what the host is looked up and recorded as.
func (c *Checker) name() string {
	if c.config.Alias != "" {
		return strings.ToLower(c.config.Alias)
	}
	return withPort(strings.ToLower(c.config.Host), c.config.Port)
}

// portless is the name to fall back on when the host is unknown at its port, or
// empty when there is no other name.
func (c *Checker) portless() string {
	host := strings.ToLower(c.config.Host)
	if c.config.Alias != "" || c.name() == host {
		return ""
	}
	return host
}

// principal is the name that a host certificate has to hold for. Unlike an
// alias, a host name is in lower case by then.
func (c *Checker) principal() string {
	if c.config.Alias != "" {
		return c.config.Alias
	}
	return strings.ToLower(c.config.Host)
}

// recordable says whether the host's name can be written to known_hosts without
// meaning something else there.
func (c *Checker) recordable() bool {
	bad := func(s, special string) bool {
		return strings.ContainsAny(s, special) ||
			strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
	}
	if alias := c.config.Alias; alias != "" {
		return !bad(alias, "*?|,'\"\\") && !strings.ContainsRune("!@#", rune(alias[0]))
	}
	return c.config.Host != "" && !bad(c.config.Host, "@?*#[]|'\"\\!,")
}

// remoteIP returns the address that the connection goes to. It is not valid when
// a proxy is in between or the transport has no addresses.
func (c *Checker) remoteIP(remote net.Addr) netip.Addr {
	if c.config.Proxied {
		return netip.Addr{}
	}
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// ipName is the name of the address for CheckHostIP, or empty when that check
// does not apply: on the loopback, through a proxy, or when the user gave the
// address itself.
func (c *Checker) ipName(ip netip.Addr) string {
	if !c.config.CheckHostIP || !ip.IsValid() || ip.IsLoopback() || ip.String() == c.config.Host {
		return ""
	}
	return withPort(strings.ToLower(ip.String()), c.config.Port)
}
