package muxproto

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
)

// roomFor is how many descriptors one receive has room for. One is allowed. The
// rest of the room is there to close what came too many: some systems leave
// open what found no room.
const roomFor = 32

// A room is where a descriptor arrives, and the byte beside it.
type room struct {
	data    [1]byte
	control []byte
}

var rooms = sync.Pool{New: func() any { return &room{control: make([]byte, syscall.CmsgSpace(4*roomFor))} }}

// SendFD sends one descriptor beside one byte. It lends fd, which may be closed
// afterwards.
func (c *Conn) SendFD(fd int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendFD(fd)
}

// WriteFDs sends a message and the descriptors that belong to it, with nothing
// of another writer in between. It lends the descriptors, which may be closed
// afterwards. After an error nothing can be sent any more.
func (c *Conn) WriteFDs(m Message, fds ...int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(m); err != nil {
		return err
	}
	for _, fd := range fds {
		if err := c.sendFD(fd); err != nil {
			c.failure = fmt.Errorf("muxproto: a descriptor is missing after %v: %w", m.MsgType(), err)
			return err
		}
	}
	return nil
}

// sendFD sends one descriptor. The caller holds mu.
func (c *Conn) sendFD(fd int) error {
	if c.failure != nil {
		return c.failure
	}
	if err := c.sock.writeDescriptor(fd); err != nil {
		return fmt.Errorf("muxproto: send descriptor: %w", err)
	}
	return nil
}

// ReceiveFD receives one descriptor and the byte beside it, whatever its value.
// The caller owns the descriptor, which is close-on-exec. If there is not
// exactly one, all that came are closed and the error is ErrNoDescriptor or
// ErrSurplusDescriptor; at the end of the connection it is io.ErrUnexpectedEOF
// too. Call it right after a message that descriptors follow.
func (c *Conn) ReceiveFD() (int, error) {
	r := rooms.Get().(*room)
	defer rooms.Put(r)
	n, flags, err := c.sock.readDescriptors(r.data[:], r.control)
	if errors.Is(err, io.EOF) {
		return -1, fmt.Errorf("%w: %w", ErrNoDescriptor, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return -1, fmt.Errorf("muxproto: receive descriptor: %w", err)
	}
	fds := rights(r.control[:n])
	switch {
	case len(fds) > 1, flags&syscall.MSG_CTRUNC != 0:
		closeAll(fds)
		return -1, ErrSurplusDescriptor
	case len(fds) == 0:
		return -1, ErrNoDescriptor
	}
	return fds[0], nil
}

// rights finds all descriptors in received control messages. Other kinds of
// control messages are passed over.
func rights(control []byte) []int {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var fds []int
	for i := range messages {
		if got, err := syscall.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd)
	}
}
