package forward

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"sshmaster/muxproto"
)

// listen listens for f here. Of several addresses one is enough, as in OpenSSH.
func (r *Registry) listen(ctx context.Context, f muxproto.Forward) ([]net.Listener, error) {
	if f.ListenPort == muxproto.PortStreamLocal {
		l, err := r.listenUnix(f.ListenHost)
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	}
	addresses, err := r.bindAddresses(ctx, f.ListenHost)
	if err != nil {
		return nil, err
	}
	var listeners []net.Listener
	var failed failures
	for _, a := range addresses {
		l, err := listenTCP(ctx, netip.AddrPortFrom(a, uint16(f.ListenPort)))
		if err != nil {
			r.log.Debug("cannot listen on one of the addresses", "error", err)
			failed = append(failed, err)
			continue
		}
		listeners = append(listeners, l)
	}
	if len(listeners) == 0 {
		return nil, failed
	}
	return listeners, nil
}

// listenTCP listens on one address of one family only. net sets SO_REUSEADDR,
// and IPV6_V6ONLY for "tcp6".
func listenTCP(ctx context.Context, at netip.AddrPort) (net.Listener, error) {
	network := "tcp6"
	if at.Addr().Is4() {
		network = "tcp4"
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(ctx, network, at.String())
}

// The addresses that names stand for, IPv6 first as getaddrinfo(3) has them.
var (
	loopback = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	wildcard = []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}
)

// bindAddresses is what a listen host stands for: "" is the loopback, and
// everything with GatewayPorts; "*" is everything; "localhost" is the loopback of
// every family; others are looked up.
func (r *Registry) bindAddresses(ctx context.Context, host string) ([]netip.Addr, error) {
	addresses := loopback
	switch {
	case host == "*", host == "" && r.cfg.GatewayPorts:
		addresses = wildcard
	case host != "" && host != "localhost":
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, err
		}
		addresses = found
	}
	var usable []netip.Addr
	for _, a := range addresses {
		a = a.Unmap()
		if a.Is4() && r.cfg.AddressFamily != "inet6" || a.Is6() && r.cfg.AddressFamily != "inet" {
			usable = append(usable, a)
		}
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("%q has no address of the family %s", host, r.cfg.AddressFamily)
	}
	return usable, nil
}
