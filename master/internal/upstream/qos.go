package upstream

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/hostconfig"
)

// SetInteractive marks the link's packets with the IPQoS of interactive or of
// bulk traffic. A new link is bulk, as a master without a session of its own is
// in ssh(1). It does nothing for a link whose TCP connection is not ours.
func (l *Link) SetInteractive(on bool) error {
	tc, ok := beneath[*net.TCPConn](l.wire.Conn)
	if !ok {
		return nil
	}
	if on {
		return setQoS(tc, l.qos.Interactive)
	}
	return setQoS(tc, l.qos.Bulk)
}

// setQoS sets the type of service of a connection's packets.
func setQoS(tc *net.TCPConn, tos int) error {
	if tos == hostconfig.QoSNone {
		return nil
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return err
	}
	level, name := unix.IPPROTO_IP, unix.IP_TOS
	if addr, ok := tc.LocalAddr().(*net.TCPAddr); ok && addr.IP.To4() == nil {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	return setInt(raw, level, name, tos)
}

func setInt(raw syscall.RawConn, level, name, value int) error {
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, name, value) }); err != nil {
		return err
	}
	return failed
}
