// Package daemon makes one process the master of every host: it makes a
// [master.Master] for each destination that is asked for, on the control socket
// that the user's configuration names for it, and keeps it there.
//
// # One ssh, from the start
//
// Three lines of ~/.ssh/config are enough:
//
//	Match exec "ssh-master -O ensure -- %n"
//	    ControlPath ~/.ssh/cm/%C
//	    ControlMaster no
//
// An ssh that reads them asks ensure before it looks for its control socket:
//
//	ssh ──Match exec──▶ ssh-master -O ensure ──▶ daemon's socket ──▶ ssh -G
//	 │                        │ (starts the daemon)                    │
//	 │                        └◀── yes ────── a master listens ◀───────┘
//	 └──ControlPath──▶ that master's socket ──▶ it logs in for the first slave
//
// Nothing is dialled for ensure. The master logs in when a slave wants a session,
// and asks that slave's user what there is to ask. Whatever goes wrong on the way
// to "yes" makes ensure say no, and ssh goes on as if there were no ssh-master.
//
// # Who is asked what
//
// Ensure tells the daemon how its ssh was called (see [Call]), its folder and its
// environment: all that `ssh -G` needs to give the answer that this ssh gives
// itself. What concerns one session alone is left out, so that the first ssh does
// not decide for all.
//
// The ssh -G that the daemon runs reads the same configuration, and with it the
// same Match exec. hostconfig marks it in its environment ([Resolving]), and
// ensure says yes to it at once.
//
// # Whose path
//
// A path on which another master listens is left to that one, unless somebody
// wants it replaced: then it is asked to listen no more, and its sessions end by
// themselves. An ssh that names its ControlPath itself, or wants to be a master,
// is left alone.
package daemon
