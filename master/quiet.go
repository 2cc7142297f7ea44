package master

import (
	"sync/atomic"

	"sshmaster/master/internal/quiet"
)

// onQuiet is what [OnQuiet] was given last.
var onQuiet atomic.Pointer[func()]

// OnQuiet has f called whenever some slave of this process has been quiet for a
// second or so, and whenever nobody uses some master any more: a program may give
// memory back then. It must not wait. Only the last f counts.
func OnQuiet(f func()) {
	onQuiet.Store(&f)
	quiet.Tell(f)
}

// nowQuiet tells that nobody uses a master any more.
func nowQuiet() {
	if f := onQuiet.Load(); f != nil {
		(*f)()
	}
}
