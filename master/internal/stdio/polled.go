package stdio

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// polled is a driver for a non-blocking descriptor in the Go poller.
type polled struct {
	file *os.File
	raw  syscall.RawConn
}

// newPolled takes ownership of fd. It closes fd and returns nil when the
// poller does not accept it.
func newPolled(fd int) *polled {
	file := os.NewFile(uintptr(fd), "stdio")
	if file == nil {
		unix.Close(fd)
		return nil
	}
	// NewFile does not tell whether the poller took the descriptor. A file
	// outside of it has no deadlines.
	raw, err := file.SyscallConn()
	if err != nil || file.SetDeadline(time.Time{}) != nil {
		file.Close()
		return nil
	}
	return &polled{file: file, raw: raw}
}

func (d *polled) read(try func(uintptr) bool) error  { return d.raw.Read(try) }
func (d *polled) write(try func(uintptr) bool) error { return d.raw.Write(try) }
func (d *polled) control(f func(uintptr)) error      { return d.raw.Control(f) }

func (d *polled) setReadDeadline(t time.Time) error { return d.file.SetReadDeadline(t) }

// close wakes those who wait, and returns when the attempts under way are
// over: none of them blocks.
func (d *polled) close() error { return d.file.Close() }
