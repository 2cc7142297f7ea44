// Package proxy serves PROXY mode: a slave that speaks the SSH connection
// protocol (RFC 4254) over the control socket, as ssh -O proxy and
// golang.org/x/crypto/ssh's NewControlClientConn do (PROTOCOL.mux section 9).
//
// A stock master rewrites the numbers in the slave's packets and passes them
// on. Here each channel ends and begins anew: the slave has numbers and windows
// of its own, and the channel to the host is one like any other on the link.
//
//	slave ── packets ── reader ── queue of the channel ── Channel.Write ──▶ host
//	slave ◀── outlet ──── at most the slave's window ──── Channel.Read ──── host
//
// # What holds what up
//
// The reader never waits for the host: what a channel cannot take yet waits in
// its queue, whose size is the window that the slave was given, and the slave
// gets that back as the host's side takes the data. What the host sends is left
// in the link's own channel until the slave has opened its window for it. Small
// packets, answers and window updates, never wait for data: they are collected
// and go with the next write. A slave that does not read therefore holds up
// itself, and nothing but a bounded amount of memory.
//
// # Order
//
// Data, EOF and CLOSE of a channel stay in order, its requests too, and so do
// the answers. Data waits for the requests before it, because a host throws
// away what arrives before the exec; a request waits for the data before it
// unless the host takes none, because a signal must reach a program that does
// not read. The host's data, EOF, requests and CLOSE arrive in the order that
// package ssh leaves visible: all data before EOF, everything before CLOSE.
//
// # Endings
//
//	the host closes a channel    what it sent is delivered, then EOF and CLOSE
//	the slave closes a channel   what it sent is delivered, then CLOSE; its own CLOSE follows the host's
//	the slave leaves             the same for all of its channels; opens are given up, its forwards cancelled
//	the slave breaks the rules   as if it had left; nobody else notices
//	the link ends                looks like the host's CLOSE of every channel
//
// Global requests of the slave are answered here, in order, and the stock
// master's silence is not copied: forwards and their cancels go to [Remotes],
// everything else is refused, as sshd refuses what it does not know, keepalives
// among it. To a keepalive any answer is a sign of life.
package proxy
