// Package stocklink makes links by stock ssh, for what a link of our own cannot
// do: Kerberos, host-based authentication, keys on tokens, compression,
// algorithms that x/crypto does not have.
//
// [Start] runs the installed ssh as a master of its own on a socket in a private
// folder, with the user's own options, and attaches to it. [Choose] says which
// hosts need that. A [Link] has the methods of a link of package upstream.
//
// # Two control connections
//
//	          ┌─ proxy mode: channels, any number ─┐
//	Link ─────┤                                    ├── ssh -M -N ── host
//	          └─ requests: -R, is it alive, ended ─┘
//
// Channels go over a connection in proxy mode (PROTOCOL.mux section 9), in which
// ssh passes SSH packets on as they are. Its proxy mode has no answers to global
// requests and is cut off by most of them, so these take the other connection:
// remote forwards are asked for as `ssh -O forward -R` asks, with a socket of ours
// for a target, and what comes in there is handed on as if the host had opened a
// channel. Where it came from at the host is not known then.
//
// The proxy connection lives as long as the link, whatever becomes of its
// channels: OpenSSH's master aborts when a proxy slave leaves one behind that was
// still opening, or was refused.
//
// # The process
//
// Until it is attached to, ssh is a command on this process's terminal, where it
// asks its own questions. Then it is told to stop listening, which takes its
// socket away and makes it end with our two connections, however we end. The
// keyboard's signals are not for it: it outlives a command in the background.
//
// What ssh writes to its standard error is logged line by line; the last line
// before its end is the reason of the link's end. With -v it also tells what was
// negotiated, which is kept for Info.
//
// # Not over such a link
//
// X11 and the agent belong to ssh, which follows its own configuration: the agent
// is forwarded as ForwardAgent says, X11 is not.
//
// References: PROTOCOL.mux, RFC 4254; reasons and observations are in the
// comments.
package stocklink
