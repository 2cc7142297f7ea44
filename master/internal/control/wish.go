package control

import (
	"path"
	"strings"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/stdio"
	"sshmaster/muxproto"
)

// A Wish is what a slave wants a channel for, and who it is that waits for it.
type Wish struct {
	// TTY says that somebody types, and notices delays; Bulk that much data is
	// known to be moved.
	TTY, Bulk bool

	// Files are the slave's, lent until its request is answered; PID is its
	// process, 0 where that is not told.
	Files *stdio.Set
	PID   int

	// Traffic counts what a slave in PROXY mode moves, else nil.
	Traffic *session.Traffic
}

// wish is what a slave wants that passed these files.
func (s *slave) wish(files *stdio.Set) Wish {
	return Wish{Files: files, PID: peerPID(s.conn)}
}

// movers are programs at the far end of transfers: of scp, rsync, git, and of
// backups that send their streams.
var movers = map[string]bool{
	"scp": true, "rsync": true, "git-upload-pack": true, "git-receive-pack": true, "git-upload-archive": true,
	"borg": true, "zfs": true, "btrfs": true, "tar": true, "dd": true,
}

// movesMuch says whether a session is known to move much data: a transfer's.
func movesMuch(m *muxproto.NewSession) bool {
	if m.Subsystem {
		return m.Command == "sftp"
	}
	program, _, _ := strings.Cut(strings.TrimSpace(m.Command), " ")
	return movers[path.Base(program)]
}
