package muxproto

import (
	"bufio"
	"encoding/binary"
	"fmt"
)

const (
	// packetHeader is a u32 length and the byte that tells how much padding
	// there is. The length counts that byte.
	packetHeader = 5

	// MaxPacket is the longest SSH packet that can be sent after Proxy, in bytes,
	// its type included.
	MaxPacket = MaxFrame - 1

	// readAhead is the reading buffer for SSH packets, in bytes.
	readAhead = 16 << 10
)

// ReadPacket reads an SSH packet after Proxy (PROTOCOL.mux section 9):
//
//	u32 length | u8 padding length, 0 | u8 type | payload
//
// The result starts with the type. It lies in buf's memory if that is large
// enough, and in memory of its own otherwise. Errors are as those of
// ReadRequest. The padding length is not judged, as OpenSSH does not either.
//
// No descriptor travels any more, so that from the first call on the socket is
// read ahead and the other reading methods must not be used.
func (c *Conn) ReadPacket(buf []byte) ([]byte, error) {
	if c.packets == nil {
		c.packets = bufio.NewReaderSize(c.sock, readAhead)
	}
	return c.frames.packet(c.packets, buf)
}

// WritePacket sends an SSH packet after Proxy, given in any number of parts, of
// which the first starts with the packet's type. The parts are neither copied
// nor changed. Errors are as those of Write; a packet without a type is
// ErrMalformed.
func (c *Conn) WritePacket(parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	switch {
	case size == 0:
		return malformed("SSH packet without a type")
	case size > MaxPacket:
		return fmt.Errorf("%w: SSH packet of %d bytes", ErrTooLarge, size)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writePacket(size, parts)
}

// WriteBuffers sends whole packets in one piece, in any number of parts, which are
// neither copied nor changed.
func (c *Conn) WriteBuffers(parts [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return c.failure
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	n, err := c.sock.WriteBuffers(parts)
	return c.wrote(n, size, err)
}

// writePacket sends a packet in one writev(2). The caller holds mu.
func (c *Conn) writePacket(size int, parts [][]byte) error {
	if c.failure != nil {
		return c.failure
	}
	binary.BigEndian.PutUint32(c.header[:], uint32(size)+1)
	c.gather = append(append(c.gather[:0], c.header[:]), parts...)
	n, err := c.sock.WriteBuffers(c.gather)
	clear(c.gather)
	return c.wrote(n, size+packetHeader, err)
}
