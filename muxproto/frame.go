package muxproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// firstGrasp is the memory, in bytes, that a frame gets before any of its body
// arrived. Nearly all messages fit.
const firstGrasp = 512

// A frameReader reads one frame at a time and keeps what it has of it between
// calls, so that a deadline loses nothing.
type frameReader struct {
	head  [packetHeader]byte
	nhead int    // how much of head is there
	body  []byte // what is there of it
}

// message returns the body of the next frame of a message. It asks r for the
// frame's own bytes only. Its errors are those of r, ErrTooLarge, and
// ErrMalformed for a frame without a type; io.EOF comes between frames only.
func (f *frameReader) message(r io.Reader) ([]byte, error) {
	size, err := f.size(r, 4)
	if err != nil {
		return nil, err
	}
	return f.read(r, size, nil)
}

// packet returns the next SSH packet without its padding length, in buf's
// memory if that is large enough. Its errors are as those of message.
func (f *frameReader) packet(r io.Reader, buf []byte) ([]byte, error) {
	size, err := f.size(r, 2)
	if err != nil {
		return nil, err
	}
	if err := f.header(r, packetHeader); err != nil {
		return nil, err
	}
	body, err := f.read(r, size-1, buf)
	if err != nil {
		f.body = bytes.Clone(f.body) // buf is the caller's again
	}
	return body, err
}

// read reads a body of a known size.
func (f *frameReader) read(r io.Reader, size int, buf []byte) ([]byte, error) {
	if f.body == nil {
		f.body = buf[:0]
	}
	for len(f.body) < size {
		f.grow(size)
		n, err := r.Read(f.body[len(f.body):min(cap(f.body), size)])
		f.body = f.body[:len(f.body)+n]
		if err != nil && len(f.body) < size {
			return nil, midway(err)
		}
	}
	body := f.body
	f.nhead, f.body = 0, nil
	return body, nil
}

// size reads the length and judges it.
func (f *frameReader) size(r io.Reader, least uint32) (int, error) {
	if err := f.header(r, 4); err != nil {
		return 0, err
	}
	size := binary.BigEndian.Uint32(f.head[:4])
	switch {
	case size > MaxFrame:
		return 0, ErrTooLarge
	case size < least:
		return 0, malformed("frame of %d bytes", size)
	}
	return int(size), nil
}

// header reads on until the first n bytes of the header are there.
func (f *frameReader) header(r io.Reader, n int) error {
	for f.nhead < n {
		got, err := r.Read(f.head[f.nhead:n])
		f.nhead += got
		if err != nil && f.nhead < n {
			if f.nhead > 0 {
				err = midway(err)
			}
			return err
		}
	}
	return nil
}

// grow makes room for more of a body when what there is of it is full: memory
// follows the bytes that arrived, not the header's word for those to come.
func (f *frameReader) grow(size int) {
	if len(f.body) < cap(f.body) {
		return
	}
	room := min(max(firstGrasp, 2*len(f.body)), size)
	f.body = append(make([]byte, 0, room), f.body...)
}

// midway turns the end of the connection inside of a frame into an error that
// says so.
func midway(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
