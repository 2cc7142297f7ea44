// Package crew runs errands on goroutines that are kept for a moment.
//
// Every session takes a handful of goroutines that do one thing and end: who
// serves the control connection, who asks the host for a channel, who starts the
// program. Each begins with a small stack, which x/crypto outgrows twice; to grow
// it, a copy each time, was a twelfth of a short session's processor time. Where
// sessions come one after the other, the goroutines of the last one, with the
// stacks that they have, do the errands of the next.
//
// A goroutine that will wait for long is not for the crew: nobody would have the
// use of its stack, and it would keep it.
package crew
