package x11

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrRejected says that a client did not show the cookie that it was given.
var ErrRejected = errors.New("x11: X11 connection rejected because of wrong authentication")

// Of a client's first packet (X Window System Protocol, section 8):
//
//	0   byte order: B or l
//	2   protocol version, 4 bytes
//	6   length of the authorization protocol's name
//	8   length of the authorization data
//	10  unused
//	12  name, padded to 4 bytes; data, padded to 4 bytes
const (
	setupHeader  = 12
	bigEndian    = 'B'
	littleEndian = 'l'
)

// Admit reads the first packet of a client and returns it with the real cookie in
// place of the one that the client was given, and the display that it is for. It
// reads no further than that. A
// client that shows another cookie gets [ErrRejected], and no more of it is read
// than needed to know.
func (f *Forwarding) Admit(client io.Reader) (packet []byte, at string, err error) {
	packet = make([]byte, setupHeader)
	if _, err := io.ReadFull(client, packet); err != nil {
		return nil, "", fmt.Errorf("x11: no first packet: %w", err)
	}
	var order binary.ByteOrder
	switch packet[0] {
	case bigEndian:
		order = binary.BigEndian
	case littleEndian:
		order = binary.LittleEndian
	default:
		return nil, "", fmt.Errorf("%w: byte order 0x%02x", ErrRejected, packet[0])
	}
	name, data := int(order.Uint16(packet[6:])), int(order.Uint16(packet[8:]))
	if !f.expects(name, data) {
		return nil, "", fmt.Errorf("%w: other authorization", ErrRejected)
	}
	begin := setupHeader + padded(name)
	packet = append(packet, make([]byte, padded(name)+padded(data))...)
	if _, err := io.ReadFull(client, packet[setupHeader:]); err != nil {
		return nil, "", fmt.Errorf("x11: no first packet: %w", err)
	}
	shown := packet[begin : begin+data]
	c := f.shown(packet[setupHeader:setupHeader+name], shown)
	if c == nil {
		return nil, "", ErrRejected
	}
	copy(shown, c.real)
	return packet, c.display.name, nil
}

func padded(n int) int { return (n + 3) &^ 3 }

// expects says whether there is a cookie of these lengths.
func (f *Forwarding) expects(name, data int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.cookies {
		if len(c.protocol) == name && len(c.fake) == data {
			return true
		}
	}
	return false
}

// shown is the cookie that a client shows, or nil. How long the search takes says
// nothing of how much of a cookie was right.
func (f *Forwarding) shown(protocol, fake []byte) *cookie {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found *cookie
	for _, c := range f.cookies {
		same := subtle.ConstantTimeCompare(c.fake, fake) == 1 && bytes.Equal([]byte(c.protocol), protocol)
		if same && !f.expired(c) {
			found = c
		}
	}
	return found
}
