// Package netchange tells when something happened to this machine after which
// it is worth asking whether a connection still lives.
//
// A peer that is gone for good says nothing: after sleep, behind another
// network, or with another address, a TCP connection stays established until
// somebody sends and waits in vain. Watch notices what goes before that:
//
//   - A network link, an address or a route of this machine came, went or
//     changed (Linux, in the network namespace of the caller).
//   - The machine was suspended, the process was stopped (SIGSTOP), or a virtual
//     machine was paused: one of the clocks went on without the process.
//
// An event is a hint and no verdict. It may come for a change that concerns no
// connection, and none comes for what happens elsewhere on the way to a host.
package netchange

import "time"

// An Event is all that changed since the last one that was received.
type Event struct {
	// Network is true when a link, an address or a route changed.
	Network bool
	// Away is how long this process did not run though the clocks went on; 0
	// when it ran all the time.
	Away time.Duration
}
