package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

func decimal(port uint32) string { return strconv.FormatUint(uint64(port), 10) }

// A target is what one connection is connected to: a host and port, or with
// path a unix socket.
type target struct {
	host string
	port uint32
	path string
}

// targetOf is the target of every connection of f; socks says that there is
// none, because each client names its own.
func targetOf(f muxproto.Forward) (t target, socks bool) {
	switch {
	case f.ConnectPort == muxproto.PortStreamLocal:
		return target{path: f.ConnectHost}, false
	case f.ConnectPort == 0 && f.ListenPort != muxproto.PortStreamLocal:
		return target{}, true
	default:
		// OpenSSH does not serve SOCKS behind a remote unix socket: it
		// connects to a host named "socks".
		return target{host: f.ConnectHost, port: f.ConnectPort}, false
	}
}

// String names the target in a log.
func (t target) String() string {
	if t.path != "" {
		return clean(t.path)
	}
	return clean(net.JoinHostPort(t.host, decimal(t.port)))
}

// named is the target's two halves in OpenSSH's list of channels.
func (t target) named() (string, int) {
	if t.path != "" {
		return t.path, pathPort
	}
	return t.host, int(t.port)
}

// pathPort is how OpenSSH's list of channels shows the port of a unix socket.
const pathPort = -2

// An origin is where a connection came from.
type origin struct {
	host string
	port uint32
}

// originOf is the peer of a socket; a unix socket has none.
func originOf(a net.Addr) origin {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return origin{}
	}
	return origin{tcp.AddrPort().Addr().Unmap().String(), uint32(tcp.Port)}
}

// open is the channel type that connects to the target from the host, and its
// data: RFC 4254 section 7.2, or OpenSSH's PROTOCOL section 2.4.
func (t target) open(from origin) (name string, extra []byte) {
	if t.path != "" {
		return directUnix, ssh.Marshal(struct {
			Path       string
			OriginHost string
			OriginPort uint32
		}{t.path, from.host, from.port})
	}
	return directTCP, ssh.Marshal(struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}{t.host, t.port, from.host, from.port})
}

// dial connects to the target from here.
func (r *Registry) dial(ctx context.Context, t target) (net.Conn, error) {
	var d net.Dialer
	if t.path != "" {
		address, release, err := unixAddress(r.cfg.Dir, t.path)
		if err != nil {
			return nil, err
		}
		defer release()
		return d.DialContext(ctx, "unix", address)
	}
	return d.DialContext(ctx, r.network(), net.JoinHostPort(t.host, decimal(t.port)))
}

// network is TCP over the families that may be used.
func (r *Registry) network() string {
	switch r.cfg.AddressFamily {
	case "inet":
		return "tcp4"
	case "inet6":
		return "tcp6"
	default:
		return "tcp"
	}
}

// openFailed is how OpenSSH refuses a channel for a cause that it does not tell.
const openFailed = "open failed"

// refuse tells the host that its channel leads nowhere, as OpenSSH does: it
// says why when a peer's network said so, and nothing more than that when the
// attempt could not even begin, as without an address or with a unix socket
// on which nobody listens.
func refuse(nc ssh.NewChannel, err error) {
	var errno syscall.Errno
	var op *net.OpError
	if errors.As(err, &errno) && errors.As(err, &op) && op.Net != "unix" && fromAfar(errno) {
		nc.Reject(ssh.ConnectionFailed, systemText(errno))
		return
	}
	nc.Reject(ssh.Prohibited, openFailed)
}

// fromAfar says whether an error of connect(2) comes from the network: OpenSSH
// connects without waiting, so these are the errors that it hears of later.
func fromAfar(errno syscall.Errno) bool {
	switch errno {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.EHOSTDOWN:
		return true
	}
	return false
}

// systemText is strerror(3): Go's texts are the same but for the first letter.
func systemText(errno syscall.Errno) string {
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// errTooLong is what unix sockets make of a path that a socket address has no
// room for.
var errTooLong = errors.New("path too long for a unix socket")

// unixAddress is the address of the unix socket at path, which is relative to
// dir. It is valid until release is called.
func unixAddress(dir, path string) (address string, release func(), err error) {
	full := inFolder(dir, path)
	if len(full) <= maxUnixPath {
		return full, func() {}, nil
	}
	address, release, err = shortAddress(full)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %q", err, path)
	}
	return address, release, nil
}

// inFolder makes path absolute, or at least not look like a socket without a
// file, as a path that begins with @ would.
func inFolder(dir, path string) string {
	switch {
	case strings.HasPrefix(path, "/"):
		return path
	case dir == "":
		return "./" + path
	default:
		return strings.TrimSuffix(dir, "/") + "/" + path
	}
}
