package stdio

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// The kinds of file that are told apart.
const (
	kindTerminal = "terminal"
	kindPipe     = "pipe" // a FIFO too
	kindSocket   = "socket"
	kindFile     = "file"
	kindNull     = "null"   // /dev/null
	kindDevice   = "device" // other things without a name here
)

// Open takes ownership of fd in every case: it is closed by the stream, or
// here if Open fails. The descriptor's flags, offset and terminal modes stay as
// they are, now and later.
func Open(fd int) (*Stream, error) {
	st, err := look(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("stdio: passed descriptor: %w", err)
	}
	kind := st.kind(fd)
	switch kind {
	case kindFile:
		return openPlain(fd, kind), nil
	case kindNull:
		return newNull(fd), nil
	case kindDevice:
		if !waitable(fd) {
			return openPlain(fd, kind), nil
		}
		return newStream(kind, "watched", newShared(fd), newCareful(kind)), nil
	case kindSocket:
		return openSocket(fd, st.uid), nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("stdio: flags of a passed %s: %w", kind, err)
	}
	if s := openPrivate(fd, kind, flags); s != nil {
		return s, nil
	}
	return newStream(kind, "watched", newShared(fd), newCareful(kind)), nil
}

// A status is what stat(2) says of a descriptor.
type status struct {
	mode   uint32
	uid    uint32 // of a socket: whose process made it
	device uint64
}

func (st status) kind(fd int) string {
	switch st.mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		return kindFile
	case unix.S_IFIFO:
		return kindPipe
	case unix.S_IFSOCK:
		return kindSocket
	case unix.S_IFCHR:
		if st.device == nullDevice() {
			return kindNull
		}
		if _, err := getTermios(fd); err == nil {
			return kindTerminal
		}
	}
	return kindDevice
}

// nullDevice is the number of /dev/null.
var nullDevice = sync.OnceValue(func() uint64 {
	var st unix.Stat_t
	if unix.Stat(os.DevNull, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return 0
	}
	return uint64(st.Rdev)
})

func openPlain(fd int, kind string) *Stream {
	return newStream(kind, "plain", newPlain(fd), direct)
}

// openSocket leaves a socket out of the poller until somebody has to wait for it,
// and then waits beside it, for that direction alone: in the poller an output wakes
// the master whenever its reader has read something.
func openSocket(fd int, owner uint32) *Stream {
	if owner == uint32(os.Geteuid()) && isLocal(fd) {
		return newStream(kindSocket, "quick", newShared(fd), quickSocket)
	}
	return newStream(kindSocket, "watched", newShared(fd), socket)
}

// openPrivate replaces fd by a description of our own, or returns nil and
// leaves fd alone where that is not possible. What may be set on a pipe, such
// as its capacity, is set here.
func openPrivate(fd int, kind string, flags int) *Stream {
	private, err := reopen(fd, kind, flags)
	if err != nil {
		return nil
	}
	unix.Close(fd)
	return newPolledStream(kind, "reopened", private, direct)
}

func lookSlowly(fd int) (status, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return status{mode: uint32(st.Mode), uid: st.Uid, device: uint64(st.Rdev)}, err
}
