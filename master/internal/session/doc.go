// Package session runs what a slave asked for with files of its own: a
// command, a shell or a subsystem (NEW_SESSION), or a forwarded stream
// (NEW_STDIO_FWD).
//
// Each is one channel on a link and up to three descriptors that the slave
// passed. A session is opened first ([Open]), so that a refusal has not
// touched a byte of the slave's input, and run after the slave was told
// ([Session.Start]). There is one goroutine for each direction and no queue
// between a descriptor and the channel: back-pressure is the blocked write. While
// the slave's input is quiet, its direction has none, nor has what the host asks.
//
// # How a session ends
//
//	outputs at EOF, and the channel closed by the host   the ordinary end
//	outputs at EOF, status known, our EOF sent           the same, for hosts that wait for our CLOSE
//	[Session.Close]                                      the slave left, or ~.
//	the link ends                                        looks like the host's CLOSE, without a status
//
// In each case the slave's descriptors are closed before it is over, and
// nothing is read from them afterwards. What the host still has to say on the
// channel is read and thrown away in the background, because a channel that
// nobody reads holds up its whole link.
//
// The order of the requests on the channel, and the texts that a person sees,
// are OpenSSH's; see PROTOCOL.mux and RFC 4254 section 6.
package session
