package master

import (
	"sync/atomic"

	"sshmaster/master/internal/quiet"
)

// onQuiet and onBusy are what [OnQuiet] and [OnBusy] were given last.
var onQuiet, onBusy atomic.Pointer[func()]

// OnQuiet has f called whenever some slave of this process has been quiet for a
// moment, and whenever nobody uses some master any more: a program may give
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

// OnBusy has f called whenever something begins that keeps some master of this
// process alive: a slave's connection, its session, a forwarded connection. It must
// not wait. Only the last f counts.
func OnBusy(f func()) { onBusy.Store(&f) }

// nowBusy tells that something begins.
func nowBusy() {
	if f := onBusy.Load(); f != nil {
		(*f)()
	}
}
