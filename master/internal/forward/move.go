package forward

import (
	"errors"
	"io"
	"sync"
)

// A read says nothing beforehand, so somebody must hold a buffer for it: a small
// one while a stream is quiet, as most are most of the time, and a large one from
// a pool while reads come back full.
const (
	quietBuffer = 1 << 10
	bulkBuffer  = 64 << 10
)

var bulkBuffers = sync.Pool{New: func() any { return new([bulkBuffer]byte) }}

// move copies until one side ends and says which: read is nil at the end of
// file, and write is not nil when dst took no more. It never uses splice(2),
// for which the other side would have to be a socket too.
func move(dst io.Writer, src io.Reader) (read, write error) {
	quiet := make([]byte, quietBuffer)
	for {
		n, read, write := pass(dst, src, quiet)
		if read == nil && write == nil && n == len(quiet) {
			read, write = moveBulk(dst, src)
		}
		if read != nil || write != nil {
			return endOfFile(read), write
		}
	}
}

// moveBulk copies with a large buffer until a read leaves most of it empty.
func moveBulk(dst io.Writer, src io.Reader) (read, write error) {
	buf := bulkBuffers.Get().(*[bulkBuffer]byte)
	defer bulkBuffers.Put(buf)
	for {
		n, read, write := pass(dst, src, buf[:])
		if read != nil || write != nil || n < quietBuffer {
			return read, write
		}
	}
}

// pass does one read and what it takes to write it.
func pass(dst io.Writer, src io.Reader, buf []byte) (n int, read, write error) {
	n, read = src.Read(buf)
	if n > 0 {
		_, write = dst.Write(buf[:n])
	}
	return n, read, write
}

// endOfFile turns the end of file into no error.
func endOfFile(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// drain reads to the end with hardly any memory.
func drain(r io.Reader) {
	var waste [128]byte
	for {
		if _, err := r.Read(waste[:]); err != nil {
			return
		}
	}
}
