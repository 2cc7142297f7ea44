package socks

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A cursor reads a message that may not have arrived whole. Once something was
// missing it stays short and gives zeros.
type cursor struct {
	rest  []byte
	short bool
}

// bytes takes n bytes, or nil when they are not there.
func (c *cursor) bytes(n int) []byte {
	if c.short || len(c.rest) < n {
		c.short = true
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) byte() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// text takes a text that ends with a zero byte.
func (c *cursor) text() (string, error) {
	if c.short {
		return "", errMore
	}
	end := bytes.IndexByte(c.rest, 0)
	switch {
	case end > maxText, end < 0 && len(c.rest) > maxText:
		return "", fmt.Errorf("%w: a text of more than %d bytes", ErrMalformed, maxText)
	case end < 0:
		c.short = true
		return "", errMore
	}
	s := string(c.rest[:end])
	c.rest = c.rest[end+1:]
	return s, nil
}
