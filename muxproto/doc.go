// Package muxproto speaks the OpenSSH connection multiplexing protocol,
// version 4: what goes over a ControlPath socket between a master, which holds
// an SSH connection, and its slaves, which ask it for sessions and forwards.
// Both sides are here. A master reads requests and writes replies on a [Conn];
// a program that wants something of a master, OpenSSH's or any other, uses a
// [Client].
//
// # The wire
//
// A message travels in a frame. All integers are big-endian:
//
//	+--------+--------+------------+---------------------
//	| length |  type  | request id | fields of the message
//	|  u32   |  u32   |    u32     | u32, string ...
//	+--------+--------+------------+---------------------
//	          <------------- length bytes -------------->
//
// A string is a u32 length and that many bytes. Truth values are u32 too.
// [Hello] has no request id. [ExitMessage] and [TTYAllocFail] carry a session
// id in its place. A frame's body is at most [MaxFrame] bytes, which is decided
// from its header alone, and memory for a body grows as its bytes arrive.
//
// Both sides send a [Hello] as soon as they are connected. Then the slave sends
// requests and the master answers them in order. [Types] lists all messages.
//
// # Descriptors
//
// [NewSession] is followed by three descriptors (standard input, output, error)
// and [NewStdioForward] by two. Each travels in a sendmsg of its own, as
// SCM_RIGHTS beside one byte of value 0 which belongs to no frame:
//
//	| frame of NEW_SESSION | 0 | 0 | 0 | next frame ...
//	                         ^   ^   ^
//	                         |   |   +- standard error
//	                         |   +----- standard output
//	                         +--------- standard input
//
// The kernel throws a descriptor away when its byte is read without asking for
// it. Hence a [Conn] reads a frame to its last byte and never further, and
// nobody else may read from its socket, least of all through a buffer.
//
// A function that sends descriptors lends them: the caller still owns them and
// may close them when it returns. A received descriptor is owned by the caller.
//
// # After PROXY
//
// When a master has answered [Proxy], both sides stop exchanging messages. SSH
// packets follow, neither encrypted nor padded: see [Conn.ReadPacket].
//
// # Lifetimes
//
// The package starts no goroutine that outlives a call. A Conn may be written
// to by many goroutines, and read by one at a time. Close unblocks all of them.
// Deadlines work as those of package net; a read that a deadline cut short
// resumes where it stopped.
//
// # Errors
//
// What the peer sent is wrong: [ErrMalformed], [ErrTooLarge],
// [ErrNoDescriptor], [ErrSurplusDescriptor], [*UnknownTypeError]. The master
// said no: [*ReplyError]. Anything else comes from the socket.
// [Describe] prints any message on one line for a log.
//
// # References
//
// PROTOCOL.mux and mux.c of OpenSSH. Where they disagree, this package does
// what mux.c does: truth values are u32, so is the port of NEW_STDIO_FWD, no OK
// follows a session's descriptors, and EXT_INFO (since OpenSSH 10.3) exists.
// The conversations under testdata/slaves were recorded from the programs and
// the masters of OpenSSH 8.4, 9.2, 10.0 and 10.6, those under testdata/replies
// from a master of 9.2 that was asked for what stock slaves do not ask for.
package muxproto
