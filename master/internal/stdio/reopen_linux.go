package stdio

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

var errOtherFile = errors.New("opened something else")

// reopen opens the file behind fd again, as a non-blocking description of our
// own with the same access mode. O_DIRECT makes a pipe keep its packets apart;
// the kernel refuses it here, which leaves such a pipe as it is.
func reopen(fd int, kind string, flags int) (int, error) {
	if kind == kindTerminal && isControllingAlias(fd) {
		return -1, fmt.Errorf("reopen /dev/tty: %w", errOtherFile)
	}
	flags &= unix.O_ACCMODE | unix.O_DIRECT
	flags |= unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	private, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), flags, 0)
	if err != nil {
		return -1, fmt.Errorf("reopen %s: %w", kind, err)
	}
	if !sameFile(fd, private) || kind == kindTerminal && terminalID(fd) != terminalID(private) {
		unix.Close(private)
		return -1, fmt.Errorf("reopen %s: %w", kind, errOtherFile)
	}
	return private, nil
}

// isControllingAlias recognizes a descriptor that was opened as /dev/tty,
// character device 5:0. That name means the terminal of whoever opens it:
// opened again, it would be ours and not the slave's.
func isControllingAlias(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && unix.Major(uint64(st.Rdev)) == 5 && unix.Minor(uint64(st.Rdev)) == 0
}

func sameFile(a, b int) bool {
	var sa, sb unix.Stat_t
	if unix.Fstat(a, &sa) != nil || unix.Fstat(b, &sb) != nil {
		return false
	}
	return sa.Dev == sb.Dev && sa.Ino == sb.Ino && sa.Rdev == sb.Rdev
}

// terminalID is the terminal behind names that stand for several: /dev/console
// means another one from time to time, and /dev/ptmx a new one each time. It is
// 0 where the kernel does not tell.
func terminalID(fd int) uint32 {
	id, err := unix.IoctlGetUint32(fd, unix.TIOCGDEV)
	if err != nil {
		return 0
	}
	return id
}
