package master

import "sshmaster/master/internal/quiet"

// OnQuiet has f called whenever some slave of this process has been quiet for a
// second or so: a program may give memory back then. It must not wait. Only the
// last f counts.
func OnQuiet(f func()) { quiet.Tell(f) }
