// Package stdio reads and writes the descriptors that a slave passes to its
// master: the stdin, stdout and stderr of somebody else's program.
//
// A passed descriptor shares its open file description with the slave and
// with every program that the slave's shell has started. Whatever is stored
// there (O_NONBLOCK, O_APPEND, the offset) is theirs, so this package never
// changes it, and has nothing to restore afterwards. It promises:
//
//   - No flag, offset or terminal mode is altered, other than by the bytes
//     that are read and written. A pipe's capacity is: it is no part of the
//     open file description, and a pipe of the usual one is made wider once
//     bulk goes through it.
//   - Close unblocks Read and Write at once, and when it has returned nothing
//     more is consumed: the next keystroke belongs to the user's shell.
//   - An idle stream holds no thread and no buffer, and where its reader can be
//     spared ([Stream.ReadOrPark]) no goroutine.
//   - A passed socket is closed and never shut down: sftp passes one end of a
//     socket pair twice, as stdin and as stdout.
//   - A reader that left is the error EPIPE and never the signal SIGPIPE.
//
// # How a descriptor is driven
//
// Open decides once, by what the descriptor is; [Stream.String] tells what it
// decided.
//
//  1. Regular files, block devices and whatever else cannot be waited for:
//     plain read(2) and write(2), which do not block for long and keep the
//     shared offset and O_APPEND. What /dev/null does is known without them.
//  2. Sockets that are non-blocking already: as case 4. Another holder may clear
//     O_NONBLOCK at any time, and in the poller an output wakes the master
//     whenever its reader has read something.
//  3. Terminals, pipes and FIFOs, blocking or not: opened again through
//     /proc/self/fd as a description of our own, non-blocking, in the Go
//     poller; the passed descriptor is closed. (Linux)
//  4. Blocking sockets: MSG_DONTWAIT, and between attempts a wait for
//     readiness that leaves the descriptor as it is. Go's scheduler is not told
//     of the calls on a local socket that a process of this user has made
//     ("quick").
//  5. What should be opened again but cannot be (no permission after su, no
//     /proc, a terminal in exclusive mode, /dev/tty, which would be our own
//     terminal, any system but Linux): the same wait for readiness, then
//     preadv2 and pwritev2 with RWF_NOWAIT where the kernel allows it, which
//     it does for pipes; where it does not, short calls made by a goroutine
//     on loan. Such a call can be left behind in the kernel when another
//     program took what had been ready, or when a terminal accepts fewer
//     bytes than were written: Close does not wait for it, and
//     [Stream.Stuck] reports it.
//
// The case numbers are those of the design notes; a stream behaves alike in
// all of them.
package stdio
