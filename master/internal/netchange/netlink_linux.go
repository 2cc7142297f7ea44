package netchange

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// groups are the messages of rtnetlink(7) that are asked for.
const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE

// A netlink is a socket to which the kernel writes when its network changes.
type netlink struct {
	file   *os.File
	buffer [4096]byte
}

// subscribe opens one for the network namespace of the calling thread.
func subscribe() (source, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netchange: netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("netchange: netlink bind: %w", err)
	}
	return &netlink{file: os.NewFile(uintptr(fd), "netlink")}, nil
}

// next takes one datagram, whose text may be cut off: that it came is enough.
// ENOBUFS says that there were more than the socket holds.
func (n *netlink) next() error {
	_, err := n.file.Read(n.buffer[:])
	if errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}

func (n *netlink) close() { _ = n.file.Close() }
