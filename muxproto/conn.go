package muxproto

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A Conn sends and receives messages, descriptors and, after Proxy, SSH packets
// over a unix socket. Any number of goroutines may write, one at a time may
// read. It must be closed.
type Conn struct {
	sock *socket

	// The reader's.
	frames  frameReader
	packets *bufio.Reader // from the first SSH packet on

	mu      sync.Mutex // held while writing, so that writers never interleave
	buf     []byte     // guarded by mu: the frames being written
	gather  [][]byte
	header  [packetHeader]byte
	failure error // guarded by mu: why nothing can be written any more
}

// keepBuffer is how much memory, in bytes, a Conn keeps for its next Write.
const keepBuffer = 4 << 10

// NewConn takes ownership of a connected stream socket. Nobody else may read
// from it any more.
func NewConn(sock *net.UnixConn) *Conn {
	return &Conn{sock: newSocket(sock)}
}

// NewFileConn is NewConn for the file of a socket that does not block, as
// accept4(2) gives one. Where the system allows that, no call on it wakes Go's
// scheduler. After an error the file is closed.
func NewFileConn(f *os.File) (*Conn, error) {
	if s := newSocket(f); s.raw != nil {
		return &Conn{sock: s}, nil
	}
	defer f.Close()
	sock, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	unix, ok := sock.(*net.UnixConn)
	if !ok {
		_ = sock.Close()
		return nil, fmt.Errorf("muxproto: %s is no unix socket", f.Name())
	}
	return NewConn(unix), nil
}

// ReadRequest reads one message that a slave sent and not a byte further. Its
// errors are io.EOF at the end of the connection, io.ErrUnexpectedEOF in the
// midst of a frame, those of DecodeRequest, and those of the socket. After an
// *UnknownTypeError the next message can be read, after any other that tells
// what the peer did wrong, none. After a deadline has passed reading resumes
// where it stopped.
func (c *Conn) ReadRequest() (Message, error) {
	body, err := c.frames.message(c.sock)
	if err != nil {
		return nil, err
	}
	return DecodeRequest(body)
}

// ReadReply reads one message that a master sent, as ReadRequest does.
func (c *Conn) ReadReply() (Message, error) {
	body, err := c.frames.message(c.sock)
	if err != nil {
		return nil, err
	}
	return DecodeReply(body)
}

// Write sends messages in one piece: with one write(2) if the socket's buffer
// takes them. If one is larger than MaxFrame, nothing is sent and the error is
// ErrTooLarge. After an error in the midst of a frame nothing can be sent any
// more, for the peer would take it for the rest.
func (c *Conn) Write(msgs ...Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(msgs...)
}

// write sends messages. The caller holds mu.
func (c *Conn) write(msgs ...Message) error {
	if c.failure != nil {
		return c.failure
	}
	buf := c.buf[:0]
	for _, m := range msgs {
		start := len(buf)
		buf = Append(buf, m)
		if len(buf)-start-4 > MaxFrame {
			return fmt.Errorf("%w: %v of %d bytes", ErrTooLarge, m.MsgType(), len(buf)-start-4)
		}
	}
	if cap(buf) <= keepBuffer {
		c.buf = buf
	}
	n, err := c.sock.Write(buf)
	return c.wrote(n, len(buf), err)
}

// wrote notes whether the stream is still in step after n of size bytes were
// written. The caller holds mu.
func (c *Conn) wrote(n, size int, err error) error {
	if err != nil && n > 0 && n < size {
		c.failure = fmt.Errorf("muxproto: connection broken in the midst of a message: %w", err)
	}
	return err
}

// SetDeadline bounds reads and writes, as that of net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.sock.SetDeadline(t) }

// SetReadDeadline bounds reads, those of descriptors too.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.sock.SetReadDeadline(t) }

// SetWriteDeadline bounds writes, those of descriptors too.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.sock.SetWriteDeadline(t) }

// UnixConn is the socket that NewConn was given, for its addresses and options;
// nil of a Conn of NewFileConn. It still belongs to the Conn. Reading from it
// breaks the stream.
func (c *Conn) UnixConn() *net.UnixConn {
	sock, _ := c.sock.connection.(*net.UnixConn)
	return sock
}

// SyscallConn is for the socket's options and to wait for its end. Reading breaks
// the stream.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.sock.SyscallConn() }

// Shutdown ends the connection: the peer reads the end, and so does who reads here,
// once what was sent before is read. Close has still to be called.
func (c *Conn) Shutdown() {
	if raw, err := c.sock.SyscallConn(); err == nil {
		_ = raw.Control(shutdown)
	}
}

// Close closes the socket and unblocks readers and writers with net.ErrClosed.
// It may be called again, which gives net.ErrClosed too.
func (c *Conn) Close() error { return c.sock.Close() }
