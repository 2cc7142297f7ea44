//go:build unix

package hostconfig

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// uid is the real user id: token %i.
func uid() string { return strconv.Itoa(os.Getuid()) }

// trusted says whether a configuration file is safe to read: it belongs to
// this user or root, and nobody else may write it. ssh asks the same of its
// own.
func trusted(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Getuid()) && info.Mode().Perm()&0o022 == 0
}
