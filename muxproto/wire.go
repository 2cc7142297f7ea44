package muxproto

import (
	"bytes"
	"encoding/binary"
)

// appendU32 encodes a number.
func appendU32(dst []byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, v)
}

// appendBool encodes a truth value, a whole u32 whatever PROTOCOL.mux says.
func appendBool(dst []byte, v bool) []byte {
	if v {
		return appendU32(dst, 1)
	}
	return appendU32(dst, 0)
}

// appendString encodes a string.
func appendString(dst []byte, s string) []byte {
	return append(appendU32(dst, uint32(len(s))), s...)
}

// A cursor decodes a body from its start. Its first error sticks: what follows
// decodes as zero values, so that a message is decoded without a check after
// each field.
type cursor struct {
	rest []byte
	err  error
}

// more tells whether anything is left to decode.
func (c *cursor) more() bool { return c.err == nil && len(c.rest) > 0 }

// take cuts n bytes off. They still belong to the body.
func (c *cursor) take(n uint32) []byte {
	if c.err == nil && uint64(n) > uint64(len(c.rest)) {
		c.err = malformed("%d bytes wanted, %d left", n, len(c.rest))
	}
	if c.err != nil {
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u32() uint32 {
	b := c.take(4)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// bool decodes a truth value: any number but 0 is true.
func (c *cursor) bool() bool { return c.u32() != 0 }

// bytes decodes a string that may hold anything.
func (c *cursor) bytes() string { return string(c.take(c.u32())) }

// string decodes a string that C code handles. One NUL at its very end is cut
// off, any other would end the string early and is malformed.
func (c *cursor) string() string {
	b := c.take(c.u32())
	if i := bytes.IndexByte(b, 0); i >= 0 {
		if i != len(b)-1 {
			c.err = malformed("NUL within a string")
			return ""
		}
		b = b[:i]
	}
	return string(b)
}
