package upstream

import (
	"context"
	"fmt"
	"net"
)

// localAddrs returns the addresses to connect from, in the order to try: one nil
// for any, those of BindAddress, or one of each family of BindInterface.
func localAddrs(ctx context.Context, address, iface, family string) ([]net.Addr, error) {
	switch {
	case address != "":
		return bindAddress(ctx, address, family)
	case iface != "":
		return bindInterface(iface, family)
	}
	return []net.Addr{nil}, nil
}

func bindAddress(ctx context.Context, address, family string) ([]net.Addr, error) {
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("BindAddress %s: %w", address, err)
	}
	var addrs []net.Addr
	for _, ip := range ips {
		if inFamily(ip.IP, family) {
			addrs = append(addrs, &net.TCPAddr{IP: ip.IP, Zone: ip.Zone})
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("BindAddress %s has no address of AddressFamily %s", address, family)
	}
	return addrs, nil
}

// bindInterface picks as ssh(1) does: the interface's first address that is
// neither of the loopback nor link-local, else the first of any kind.
func bindInterface(name, family string) ([]net.Addr, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("BindInterface %s: %w", name, err)
	}
	all, err := iface.Addrs()
	if err != nil {
		return nil, fmt.Errorf("BindInterface %s: %w", name, err)
	}
	var addrs []net.Addr
	for _, want := range []string{"inet", "inet6"} {
		if family != "" && family != "any" && family != want {
			continue
		}
		if ip := firstAddr(all, want); ip != nil {
			addrs = append(addrs, ip)
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("BindInterface %s has no address to connect from", name)
	}
	return addrs, nil
}

// firstAddr returns the address of a family to use, nil when there is none.
func firstAddr(all []net.Addr, family string) net.Addr {
	var second net.Addr
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok || !inFamily(n.IP, family) {
			continue
		}
		if !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return &net.TCPAddr{IP: n.IP}
		}
		if second == nil {
			second = &net.TCPAddr{IP: n.IP}
		}
	}
	return second
}

func inFamily(ip net.IP, family string) bool {
	switch family {
	case "inet":
		return ip.To4() != nil
	case "inet6":
		return ip.To4() == nil
	}
	return true
}
