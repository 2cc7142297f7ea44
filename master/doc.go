// Package master is an OpenSSH ControlMaster that a Go program can embed: it
// holds one authenticated connection to a host and lets unmodified ssh, scp,
// sftp, rsync and git attach to it through a control socket.
//
// # Words
//
//   - A master holds links to one host and listens on one control socket.
//   - A slave is a program attached to that socket: ssh -S, scp, sftp.
//   - A link is one SSH connection to the host.
//   - A passenger session runs with the slave's own files, passed over the
//     socket: NEW_SESSION and NEW_STDIO_FWD of the protocol. A proxy slave
//     speaks SSH's connection protocol itself, after PROXY.
//
// # Lifetimes
//
// [Resolve] asks the installed ssh what the user's configuration says of a
// host. [New] takes that and the outside world: logger, prompter, environment.
// [Master.Start] dials, authenticates and listens; when it returns nil, slaves
// can attach. [Master.Serve] returns when the master has ended, be it by
// [Master.Shutdown], by ssh -O exit, by ControlPersist or with its link; then
// the socket is gone from its path and no goroutine is left.
//
// Whoever passes SIGWINCH on to [Master.Resize] lets slaves' terminals change
// their size, for that is the signal that slaves send to the process whose id
// they were told.
//
// # Many masters
//
// A process may hold any number of masters; nothing of them is global, and they
// share one wait for slaves that are quiet ([OnQuiet], [OnBusy]). Those of one
// person share a [Set]: the links to jump hosts, and the watches over sockets and
// network.
//
// A program that keeps a master for each of many hosts makes them OnDemand:
//
//	no link ──a slave needs the host──▶ links ──nobody for ControlPersist──▶ no link
//	   └──[Master.Idle]: may be thrown away──▶ [Master.Drain] ──▶ Serve returns
//
// One without links is a socket, two goroutines and some ten kilobytes, beside the
// host's configuration, which is as much again where queries share [Baselines].
// [Master.SetEnv] tells it of the agent of a session that began later.
//
// # Two journeys
//
// A byte typed at a slave: stdio reads it when the slave's descriptor is
// readable, session passes it through the escapes on a terminal and writes it
// to its channel, and the link encrypts it. There is no queue in between.
//
// A NEW_SESSION: control accepts the connection, checks its user, reads the
// request and takes the descriptors; session opens a channel and asks for
// terminal, environment and program in OpenSSH's order; the slave hears
// SESSION_OPENED; bytes flow; when both outputs have ended and the host has
// closed the channel, the slave has heard the exit status and is let go.
//
// # Looking for a fault
//
// [Master.Status] says what a master holds: its links, who uses them and what for,
// what is forwarded. Every decision is logged with log/slog: what a user must know
// at Warn and Error, what happened at Info, and each message of the protocol at
// Debug.
package master
