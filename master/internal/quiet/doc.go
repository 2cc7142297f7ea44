// Package quiet waits for descriptors that have had nothing to say for a while.
//
// A goroutine that waits takes 2 to 8 kB, and a master has two of them for each
// session that is only there: one for the slave's input, one for its control
// connection. Here one goroutine waits for all, with an epoll instance of its own,
// and calls a function when the wait is over.
//
// To begin a wait here and to end it takes four system calls, so it is meant for
// waits that have lasted for [After] already.
package quiet

import "time"

// After is how long a descriptor says nothing before it counts as quiet.
const After = time.Second
