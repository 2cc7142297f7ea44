// Package upstream holds links: a [Link] is one SSH connection to one host,
// reached, verified, authenticated and watched.
//
// # Lifetime
//
// [Dial] makes a link and every link ends once. [Link.Done] is closed at that
// moment, [Link.Err] then says why in a sentence a person can act on, and every
// call that waits on the link returns. A link is never revived: whoever wants
// another dials again.
//
//	Dial: reach the host -> banner -> key exchange -> host key -> authentication
//	Link: OpenChannel, SendRequest, incoming channels and requests, keepalive
//	end:  closed by us | closed by the server | no sign of life | a fault of the wire
//
// # Jump hosts
//
// A host with a ProxyJump is reached in this process: each hop is resolved for
// itself, as the ssh that ssh(1) would start for it, and linked to with its own
// configuration and questions; the next one is reached by a direct-tcpip
// channel of that link. [Links] are the links that a process shares: two hosts
// behind one bastion need one login there, and a master of the bastion's own
// serves those who jump. Where another process's master listens on the jump
// host's ControlPath, the stream is asked of that master, as `ssh -W` does.
//
//	Dial ─▶ route (ssh -G of each hop) ─▶ Links: up? dialling? ─▶ channel ─▶ Dial's handshake
//	                                        └ no ─▶ control socket? ─ no ─▶ Dial of the hop
//
// # How x/crypto/ssh is used
//
// The library is used unforked and with its limits in mind:
//
//   - A rekey that the client starts can deadlock the connection, so the
//     threshold is set out of reach and only the server starts one. (The
//     library's own limit of 2^31 packets remains.)
//   - Requests and new channels that nobody takes stop the whole connection
//     after sixteen. Global requests and channel opens are served here. The
//     request channel of a channel belongs to whoever opened it and must be
//     read until it is closed, and so must both of its streams.
//   - The library's calls know no deadline. Here they are waited for beside the
//     caller's context and the link's end, and an answer that comes too late is
//     thrown away in an orderly manner.
//   - A write stuck in the kernel holds the lock of the whole transport, and
//     closing the network connection is the only thing that frees it. The
//     watchdog does that.
//   - The library cannot send SSH_MSG_DISCONNECT. A link that we close ends with
//     the end of the byte stream, so that what was sent before is not lost.
//
// # Words
//
// Errors of Dial and Err are written for a person: one line that names the
// host, the cause and, where there is one, the remedy. OpenSSH's own words are
// used where people and scripts look for them, as in
// "ssh: connect to host h port 22: Connection refused".
//
// References: RFC 4251 to RFC 4254; OpenSSH's PROTOCOL for
// keepalive@openssh.com and hostkeys-00@openssh.com; ssh_config(5).
package upstream
