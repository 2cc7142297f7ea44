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
	kind, err := kindOf(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("stdio: passed descriptor: %w", err)
	}
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
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("stdio: flags of a passed %s: %w", kind, err)
	}
	if kind == kindSocket {
		return openSocket(fd, flags), nil
	}
	if s := openPrivate(fd, kind, flags); s != nil {
		return s, nil
	}
	return newStream(kind, "watched", newShared(fd), newCareful(kind)), nil
}

func kindOf(fd int) (string, error) {
	mode, device, err := look(fd)
	if err != nil {
		return "", err
	}
	switch mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		return kindFile, nil
	case unix.S_IFIFO:
		return kindPipe, nil
	case unix.S_IFSOCK:
		return kindSocket, nil
	case unix.S_IFCHR:
		if device == nullDevice() {
			return kindNull, nil
		}
		if _, err := getTermios(fd); err == nil {
			return kindTerminal, nil
		}
	}
	return kindDevice, nil
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
	return newStream(kind, "plain", newPlain(fd), direct{})
}

// openSocket puts a socket that is non-blocking already into the poller as it
// is. The calls do not rely on the flag, which another holder may clear.
func openSocket(fd, flags int) *Stream {
	if flags&unix.O_NONBLOCK != 0 {
		// The driver closes what it is given, so give it a duplicate; and at once
		// into the poller, which takes what is non-blocking only.
		if dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			s, d := newPolledStream(kindSocket, "polled", dup, socket{})
			if d.enter() == nil {
				unix.Close(fd)
				return s
			}
			d.close()
		}
	}
	return newStream(kindSocket, "watched", newShared(fd), socket{})
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
	s, _ := newPolledStream(kind, "reopened", private, direct{})
	return s
}

func lookSlowly(fd int) (mode uint32, device uint64, err error) {
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return uint32(st.Mode), uint64(st.Rdev), err
}
