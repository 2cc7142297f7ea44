// Package quiet waits for what has had nothing to say for a while.
//
// A goroutine that waits takes 2 to 8 kB, and a master has three of them for each
// session that is only there: one for the slave's input, one for its control
// connection, one for what the host asks. Here one goroutine waits for all
// descriptors, with an epoll instance of its own ([New]), and one for many channels
// ([Receive]); a function is called when a wait is over.
//
// To begin a wait here and to end it takes four system calls, or as long as those,
// so it is meant for waits that have lasted for [After] already.
package quiet

import "time"

// After is how long something says nothing before it counts as quiet. To wait here
// costs ten microseconds or so, and at most that often; to wait longer with goroutines
// costs memory that does not come back: of sessions that begin at the same time, each
// holds five until then, and their stacks lie among those of the others.
const After = time.Second / 10
