package socks

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
)

// Protocol constants of SOCKS 4, 4a and 5.
const (
	version4 = 4
	version5 = 5

	commandConnect = 1

	methodNone = 0 // no authentication, RFC 1928 section 3

	addressIPv4   = 1
	addressDomain = 3
	addressIPv6   = 4

	granted4 = 90
	granted5 = 0
)

// maxText bounds the user and the host name of version 4, as in OpenSSH. The
// lengths of version 5 have one byte each.
const maxText = 1024

// maxPending bounds what an unfinished message can hold: version 4's fixed part
// and both of its texts. No message of version 5 is longer.
const maxPending = 8 + 2*(maxText+1)

// ErrMalformed is wrapped by every error of this package: what the client sent
// is no SOCKS request, or not one that is served.
var ErrMalformed = errors.New("not a SOCKS request")

// errMore says that a message is not complete yet.
var errMore = errors.New("incomplete")

// A Request is what a client wants to be connected to.
type Request struct {
	Version byte   // 4 or 5
	Host    string // a name as the client sent it, or an address in figures
	Port    uint16
}

// Granted is the answer of success, to be sent once the target is connected.
// The address and port in it mean nothing; OpenSSH sends zeros too.
func (r *Request) Granted() []byte {
	if r.Version == version4 {
		return []byte{0, granted4, 0, 0, 0, 0, 0, 0}
	}
	return []byte{version5, granted5, 0, addressIPv4, 0, 0, 0, 0, 0, 0}
}

// A Handshake is the state of one client's request. The zero value waits for
// the first byte.
type Handshake struct {
	pending []byte // received and not yet understood
	agreed  bool   // version 5: the method was chosen
}

// Next takes what the client sent next; p may be used again afterwards. The
// answer is to be sent at once and may come with any other result. A request is
// returned when it is complete; after that, and after an error, Next must not
// be called again.
func (h *Handshake) Next(p []byte) (answer []byte, req *Request, err error) {
	h.pending = append(h.pending, p...)
	if len(h.pending) == 0 {
		return nil, nil, nil
	}
	c := &cursor{rest: h.pending}
	switch version := h.pending[0]; {
	case h.agreed:
		req, err = c.request5()
	case version == version4:
		req, err = c.request4()
	case version == version5:
		if answer, err = h.agree(c); err == nil {
			req, err = c.request5()
		}
	default:
		err = fmt.Errorf("%w: version %d", ErrMalformed, version)
	}
	if errors.Is(err, errMore) {
		if len(h.pending) > maxPending {
			return nil, nil, fmt.Errorf("%w: too long", ErrMalformed)
		}
		return answer, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	h.pending = c.rest
	return answer, req, nil
}

// agree reads the greeting of version 5 and chooses a method (RFC 1928 section
// 3).
func (h *Handshake) agree(c *cursor) (answer []byte, err error) {
	c.byte() // version
	methods := c.bytes(int(c.byte()))
	if c.short {
		return nil, errMore
	}
	if bytes.IndexByte(methods, methodNone) < 0 {
		return nil, fmt.Errorf("%w: the client wants to authenticate", ErrMalformed)
	}
	h.agreed = true
	h.pending = c.rest
	return []byte{version5, methodNone}, nil
}

// Rest is what the client sent after its request. It belongs to the target.
func (h *Handshake) Rest() []byte { return h.pending }

// request4 reads a request of version 4 or 4a.
func (c *cursor) request4() (*Request, error) {
	c.byte() // version
	command, port, address := c.byte(), c.uint16(), c.bytes(4)
	if _, err := c.text(); err != nil { // the user, of whom nothing is asked
		return nil, err
	}
	var host string
	if c.short {
		return nil, errMore
	}
	if a := [4]byte(address); a[0] == 0 && a[1] == 0 && a[2] == 0 && a[3] != 0 {
		name, err := c.text()
		if err != nil {
			return nil, err
		}
		host = name
	} else {
		host = netip.AddrFrom4(a).String()
	}
	return judge(&Request{Version: version4, Host: host, Port: port}, command, c.short)
}

// request5 reads a request of version 5 (RFC 1928 section 4).
func (c *cursor) request5() (*Request, error) {
	if version := c.byte(); !c.short && version != version5 {
		return nil, fmt.Errorf("%w: version %d after 5", ErrMalformed, version)
	}
	command := c.byte()
	if reserved := c.byte(); reserved != 0 {
		return nil, fmt.Errorf("%w: bad header", ErrMalformed)
	}
	var host string
	switch kind := c.byte(); kind {
	case addressIPv4, addressIPv6:
		raw := c.bytes(map[byte]int{addressIPv4: 4, addressIPv6: 16}[kind])
		if address, ok := netip.AddrFromSlice(raw); ok {
			host = address.String()
		}
	case addressDomain:
		host = string(c.bytes(int(c.byte())))
	default:
		if !c.short {
			return nil, fmt.Errorf("%w: address type %d", ErrMalformed, kind)
		}
	}
	return judge(&Request{Version: version5, Host: host, Port: c.uint16()}, command, c.short)
}

// judge refuses what is not served.
func judge(req *Request, command byte, short bool) (*Request, error) {
	switch {
	case short:
		return nil, errMore
	case command != commandConnect:
		return nil, fmt.Errorf("%w: command %d", ErrMalformed, command)
	case req.Host == "" || bytes.IndexByte([]byte(req.Host), 0) >= 0:
		return nil, fmt.Errorf("%w: bad host name", ErrMalformed)
	}
	return req, nil
}
