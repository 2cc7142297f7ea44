// Package process reads what Linux tells of another process in /proc. What a
// process says of itself there, its name and its words, may hold anything. On other
// systems nothing is told.
package process

import "errors"

// ErrNotTold is the answer of a system that does not tell of other processes.
var ErrNotTold = errors.New("this system does not tell")

// A Stat is what is known of a process at one moment, see proc_pid_stat(5).
type Stat struct {
	Name       string
	State      byte // 'T' is stopped, 'Z' has ended
	Parent     int
	Group      int    // its process group
	Terminal   uint64 // the controlling terminal's device as stat(2) has it, 0 for none
	Foreground int    // the group in the terminal's foreground, -1 for none
	Started    string // tells it from a later process of the same number
}
