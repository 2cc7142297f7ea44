// Package pool holds the links of one master: none, one, or several to the same
// host, and decides which of them carries what. Whoever wants a channel waits
// here for as long as it takes to have one, and never longer than a bound.
//
//	want ──▶ seat on a link ──▶ channel ──▶ closed by the host: the seat is free
//	  │          ▲    └─ refused, silent, link lost: another seat
//	  └─ none ───┴── a link is dialled, for all who wait; a seat becomes free
//
// # Members
//
// A link of the pool is a member. It is dialled when somebody waits and no
// member can serve; one dial runs at a time. Of the members one is the home, to
// which global requests go, and with them the remote forwards.
//
//	up ──silent although asked──▶ suspect ──speaks──▶ up
//	 │                              └─ silent beside a link that works: given up
//	 ├─ Rotate ──▶ retired: no new channels, closed with the last one
//	 └─ further link, unused for a minute: closed
//
// # What is learned
//
// How many sessions the host allows on a connection (MaxSessions) is learned from
// its first refusal, which nobody is shown: the session gets a seat on another
// link, or waits. A login for which a person was asked something is not repeated
// as long as a link is up: then sessions wait for free seats. Where a person is
// asked, it is somebody who waits, on that one's own terminal.
//
// # Who sits where
//
// Sessions on a terminal stay off links that carry much data, and programs that
// are known to move much stay off links with terminals, where another link can
// be had without asking anybody.
//
// # Spares
//
// A spare is a session channel that was opened ahead of need, so that a session
// starts within one round trip. What is sent over a link that has just died
// cannot be taken back, and must not be run twice, so a spare is handed out
// unasked only while its link has spoken within the last few round trips. For a
// while after each use the link is kept speaking for that. Otherwise the host is
// asked for a sign of life first, which costs the round trip that was saved.
//
// A near host has a spare only while sessions follow each other at once, asked for
// when the last one's program runs, and its links are not kept speaking: what is
// saved there is the moment that the server takes to open a channel, and nobody but
// a program would notice.
package pool
