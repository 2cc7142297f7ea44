//go:build unix

package identity

import (
	"os"
	"syscall"
)

// ownedByUs says whether a file is the user's own. Another user's file cannot
// be corrected by this one, and ssh takes it as it is.
func ownedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
