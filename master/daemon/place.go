package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sshmaster/master/internal/hostconfig"
)

// SocketVariable is the environment variable that names the daemon's socket,
// where it is not in its usual place.
const SocketVariable = "SSH_MASTER_SOCK"

// Resolving marks, in the environment, what runs in the course of an `ssh -G` of
// ssh-master's own.
const Resolving = hostconfig.Resolving

// A Place is where the daemon of this user on this machine is found. Home
// folders are shared by machines, so that its name holds the machine's.
type Place struct {
	Socket string // the daemon listens here
	Lock   string // held by whoever starts a daemon
	Log    string // what a daemon says that nobody sees
}

// Find returns the place that env (NAME=value) leads to: ~/.ssh/master, or what
// [SocketVariable] says. Nothing is made.
func Find(env []string) (Place, error) {
	if path := lookup(env, SocketVariable); path != "" {
		if !filepath.IsAbs(path) {
			return Place{}, fmt.Errorf("%s is %q, which is no absolute path", SocketVariable, path)
		}
		return at(path), nil
	}
	home, err := home(env)
	if err != nil {
		return Place{}, err
	}
	name, err := os.Hostname()
	if err != nil {
		return Place{}, fmt.Errorf("cannot tell this machine's name: %w", err)
	}
	name, _, _ = strings.Cut(name, ".")
	return at(filepath.Join(home, ".ssh", "master", "daemon-"+name)), nil
}

func at(socket string) Place {
	return Place{Socket: socket, Lock: socket + ".lock", Log: socket + ".log"}
}

// home is the user's home folder, by the rule of [hostconfig.Query].
func home(env []string) (string, error) {
	if home := lookup(env, "HOME"); filepath.IsAbs(home) {
		return home, nil
	}
	me, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("cannot find the home folder: %w", err)
	}
	return me.HomeDir, nil
}

// lookup is the value of a variable, the last of a name.
func lookup(env []string, name string) (value string) {
	for _, entry := range env {
		if key, v, ok := strings.Cut(entry, "="); ok && key == name {
			value = v
		}
	}
	return value
}

// Prepare makes the folder of the place, and ~/.ssh with it, for this user
// alone. A folder that others can write to is refused: whoever can put a socket
// there would be asked for the user's connections.
func (p Place) Prepare() error {
	dir := filepath.Dir(p.Socket)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("no folder for the daemon's socket: %w", err)
	}
	return private(dir)
}

func private(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	if int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to another user (uid %d): the daemon's socket has no place there", dir, st.Uid)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("others can write to %s (mode %#o): chmod go-w it first", dir, st.Mode&0o777)
	}
	return nil
}

// makeRoom makes the last folder of a control socket's path where that one alone
// is missing, as ~/.ssh/cm is on the first day.
func makeRoom(path string) error {
	err := os.Mkdir(filepath.Dir(path), 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return nil // what is wrong otherwise, listening says
	}
	return err
}
