// Package forward carries other people's bytes: ports and unix sockets
// forwarded from here (ssh -L, -D) and from the host (-R), the authentication
// agent and X11. The bytes of a slave's own session are package session's.
//
// # Words
//
//   - A forward is a wish: listen there, connect here. It is asked for by a
//     slave or by the configuration and belongs to nobody: it lives until it is
//     cancelled or the master ends, whatever becomes of links.
//   - A connection is one stream that a forward carries, or one that the host
//     opened to the agent or the display. It is a socket and a channel, belongs
//     to the link of that channel, and lives on when its forward is cancelled.
//
// A [Registry] holds both. It reaches the host through an [Opener], asked anew
// for each connection, and a [Requester], so that the link may change
// underneath: local listeners do not notice, and [Remotes.Renew] has the host
// listen again. [Remotes] is the table of what the host listens on for this
// master; forwards of proxy slaves are in it as well.
//
// # One connection
//
//	from here:   accept ── SOCKS, if dynamic ── channel open ── carry
//	from the host:  look up ── connect ── confirm the channel ── carry
//	remote SOCKS:   look up ── confirm ── SOCKS on the channel ── connect ── carry
//	agent, X11:     connect ── confirm ── (X11: check the cookie) ── carry
//
// Each direction is one goroutine with no queue: back-pressure is the blocked
// write, and a slow reader holds up nobody else. An end of file ends its own
// direction only, except on agent and X11 connections, where the host's ends
// all. When the host closes the channel, or the link ends, what was received
// is still written before the socket is closed. Two further goroutines serve
// the channel's requests and its extended data, for unread requests stop a
// whole link.
//
// References: RFC 4254 section 7; OpenSSH's PROTOCOL sections 2.4 (unix sockets)
// and 2.9; PROTOCOL.mux sections 5 and 6; RFC 1928 (SOCKS).
package forward
