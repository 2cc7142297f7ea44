package session

import (
	"io"
	"sync"
	"sync/atomic"

	"sshmaster/master/internal/crew"
	"sshmaster/master/internal/stdio"
)

// A read of a channel says nothing beforehand, so somebody must hold a buffer
// for it. It is a small one while a session is quiet, as most are most of the
// time, and a large one from the pool while reads come back with much: one that
// has a screen or a prompt to show is quiet again after it.
const (
	quietBuffer = 256
	bulkBuffer  = 64 << 10
	much        = 4 << 10
)

var bulkBuffers = sync.Pool{New: func() any { return new([quietBuffer + bulkBuffer]byte) }}

// copyOutput copies the host's output to a slave's descriptor. When that cannot
// be written to any more it is closed, gone is called, and the source is read
// to its end all the same: what nobody reads holds up the link. What was read is
// added to count.
func copyOutput(to *stdio.Stream, from io.Reader, count *atomic.Uint64, gone func()) {
	write := func(p []byte) {
		count.Add(uint64(len(p)))
		if to == nil {
			return
		}
		if _, err := to.Write(p); err != nil {
			to.Close()
			to = nil
			gone()
		}
	}
	quiet := make([]byte, quietBuffer)
	for {
		n, err := from.Read(quiet)
		if err == nil && n == len(quiet) {
			err = copyBulk(write, quiet, from)
		} else {
			write(quiet[:n])
		}
		if err != nil {
			return
		}
	}
}

// copyBulk copies with a large buffer until there is not much to read any more.
// What has begun goes out together with what follows it at once: whoever reads
// expects the host's output in the pieces in which it was sent. What follows is there
// already, if anything is, so that a goroutine that has its turn after the read can
// send the beginning alone. A timer would make each sleep of the master dearer; see
// upstream's holdTime.
func copyBulk(write func([]byte), begun []byte, from io.Reader) error {
	buf := bulkBuffers.Get().(*[quietBuffer + bulkBuffer]byte)
	defer bulkBuffers.Put(buf)
	copy(buf[:], begun)
	var first sync.Once
	crew.Go(func() { first.Do(func() { write(begun) }) })
	rest := buf[len(begun):]
	n, err := from.Read(rest)
	all := rest[:n]
	first.Do(func() { all = buf[:len(begun)+n] })
	write(all)
	for err == nil && n >= much {
		n, err = from.Read(rest)
		write(rest[:n])
	}
	return err
}
