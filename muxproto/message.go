package muxproto

import "encoding/binary"

// MaxFrame is the longest body of a frame, in bytes, without the four of its
// length (256 KiB, as OpenSSH's master accepts it).
const MaxFrame = 256 << 10

// A Message is one of the structs of this package, by pointer.
//
// Messages of fixed layout may be followed by bytes that their reader does not
// know: they are ignored. Hello and NewSession are lists to the end of the
// frame.
type Message interface {
	// MsgType is the number of the message.
	MsgType() Type

	appendBody(dst []byte) []byte // all that follows the type
	decodeBody(c *cursor)         // the same, errors stay in c
}

// Append appends the frame of m, length included, to dst. It does not check
// MaxFrame, as Conn.Write does.
func Append(dst []byte, m Message) []byte {
	start := len(dst)
	dst = appendU32(dst, 0)
	dst = appendU32(dst, uint32(m.MsgType()))
	dst = m.appendBody(dst)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// DecodeRequest decodes a body, which is a frame without its length, as a
// master does. Errors are ErrTooLarge, ErrMalformed and *UnknownTypeError. The
// message keeps nothing of body.
func DecodeRequest(body []byte) (Message, error) { return decode(body, ToMaster) }

// DecodeReply decodes a body, which is a frame without its length, as a slave
// does. Errors are ErrTooLarge, ErrMalformed and *UnknownTypeError. The message
// keeps nothing of body.
func DecodeReply(body []byte) (Message, error) { return decode(body, ToSlave) }

func decode(body []byte, dir Direction) (Message, error) {
	if len(body) > MaxFrame {
		return nil, ErrTooLarge
	}
	c := &cursor{rest: body}
	t := Type(c.u32())
	if c.err != nil {
		return nil, c.err
	}
	k := lookup(t)
	if k == nil || k.dir&dir == 0 {
		return nil, unknown(t, c)
	}
	m := k.empty()
	m.decodeBody(c)
	if c.err != nil {
		return nil, malformedMessage(t, c.err)
	}
	return m, nil
}

// unknown makes the error for a type that is not in the table. Without an id
// there is nothing to answer to.
func unknown(t Type, c *cursor) error {
	id := c.u32()
	if c.err != nil {
		return malformedMessage(t, c.err)
	}
	return &UnknownTypeError{Type: t, RequestID: id}
}
