package x11

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// basePort is the TCP port of display 0 (X Window System Protocol, appendix B).
const basePort = 6000

// maxScreen is the highest screen number that OpenSSH passes on.
const maxScreen = 400

// A display is the value of DISPLAY, taken apart.
type display struct {
	name   string // as written
	path   string // of a unix socket: macOS
	host   string // "" is this machine, by unix socket
	number uint16
	screen uint32
}

// parseDisplay reads [host]:number[.screen], unix:number[.screen], or the path of
// a socket. Characters that no display needs are an error: the value is an
// argument of xauth.
func parseDisplay(name string) (display, error) {
	d := display{name: name}
	if name == "" {
		return d, fmt.Errorf("x11: DISPLAY is not set")
	}
	if i := strings.IndexFunc(name, invalidInDisplay); i >= 0 || strings.HasPrefix(name, "-") {
		return d, fmt.Errorf("x11: DISPLAY %q is not valid", name)
	}
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return d, fmt.Errorf("x11: DISPLAY %q has no colon", name)
	}
	number, screen, _ := strings.Cut(name[colon+1:], ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > 65535-basePort {
		return d, fmt.Errorf("x11: DISPLAY %q has no number", name)
	}
	d.number = uint16(n)
	if s, err := strconv.ParseUint(screen, 10, 32); err == nil && s <= maxScreen {
		d.screen = uint32(s)
	}
	d.place(name[:colon])
	return d, nil
}

// place says where the display is, by what stands before its number.
func (d *display) place(host string) {
	switch {
	case strings.HasPrefix(d.name, "/"):
		d.path = socketPath(d.name)
	case host == "unix", strings.HasPrefix(d.name, ":"):
	default:
		d.host = strings.Trim(host, "[]")
	}
}

// socketPath is the socket that a path names, of which the last part, the screen,
// may not belong to the file's name.
func socketPath(name string) string {
	if info, err := os.Stat(name); err == nil && info.Mode()&os.ModeSocket != 0 {
		return name
	}
	if dot := strings.LastIndexByte(name, '.'); dot > strings.LastIndexByte(name, ':') {
		return name[:dot]
	}
	return name
}

func invalidInDisplay(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune(":/.-_[]", r)
}

// forXauth is the name under which xauth knows the display: a display that a
// login brought here is listed as a local one.
func (d *display) forXauth() string {
	if rest, ok := strings.CutPrefix(d.name, "localhost:"); ok {
		return "unix:" + rest
	}
	return d.name
}

// connect connects to the display.
func (d *display) connect(ctx context.Context, network, sockets string) (net.Conn, error) {
	var dialer net.Dialer
	switch {
	case d.path != "":
		return dialer.DialContext(ctx, "unix", d.path)
	case d.host == "":
		return dialer.DialContext(ctx, "unix", fmt.Sprintf("%s/X%d", sockets, d.number))
	default:
		return dialer.DialContext(ctx, network, net.JoinHostPort(d.host, strconv.Itoa(basePort+int(d.number))))
	}
}
