//go:build unix

package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sshmaster/muxproto"
)

// backlog is how many slaves may wait to be accepted.
const backlog = 1024

// probeTime bounds the questions put to whoever holds the path.
const probeTime = time.Second

// A binding is one listening socket and the identity of its entry in the
// folder.
type binding struct {
	ln *os.File
	id identity
}

// waiting says whether somebody has connected and was not accepted yet.
func (b *binding) waiting() (somebody bool) {
	raw, err := b.ln.SyscallConn()
	if err != nil {
		return false
	}
	failed := raw.Control(func(fd uintptr) {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		somebody = err == nil && ready > 0
	})
	return failed == nil && somebody
}

// identity tells one file from another that took its name.
type identity struct{ dev, ino uint64 }

// openFolder opens a folder as a place for names; no right to read it is
// needed where the system allows that.
func openFolder(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, folderFlags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

func folderFD(folder *os.File) int { return int(folder.Fd()) }

// writable says whether names may be made in the folder.
func writable(folder *os.File) error {
	return unix.Access(folder.Name(), unix.W_OK|unix.X_OK)
}

// lockFolder keeps other masters out of the folder for the moment it takes to
// look at a path and act on it. Where locks do not work it does nothing: the
// link that puts the socket in place cannot overwrite anything either way.
func lockFolder(folder *os.File) (unlock func()) {
	fd, err := unix.Open(folder.Name(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	deadline := time.Now().Add(probeTime)
	for errors.Is(unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	return func() { unix.Close(fd) }
}

// identify returns what is at name, or an error that is [os.ErrNotExist].
func identify(folder *os.File, name string) (identity, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(folderFD(folder), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return identity{}, err
	}
	return identity{uint64(st.Dev), uint64(st.Ino)}, nil
}

func removeAt(folder *os.File, name string) error {
	return unix.Unlinkat(folderFD(folder), name, 0)
}

// inspect finds out whether name is free, stale or in use. Stale means a
// socket that refused a connection: nobody listens on it and nobody can again.
func inspect(folder *os.File, name, path string) (stale bool, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(folderFD(folder), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, folderError(path, folder.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return false, &InUseError{Path: path, What: kind(uint32(st.Mode))}
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", shortName(folder, name))
	if errors.Is(err, unix.ECONNREFUSED) {
		return true, nil
	}
	if err != nil {
		// A full backlog is somebody too busy to accept; anything else is
		// not ours to judge.
		return false, &InUseError{Path: path}
	}
	conn.Close()
	return false, &InUseError{Path: path, PID: askPID(ctx, shortName(folder, name))}
}

// askPID asks the master at path who it is; 0 when it does not say in time.
func askPID(ctx context.Context, path string) uint32 {
	c, err := muxproto.Dial(ctx, path)
	if err != nil {
		return 0
	}
	defer c.Close()
	pid, err := c.Alive(ctx)
	if err != nil {
		return 0
	}
	return pid
}

// bindAt makes a socket that listens before it has its name: it is bound to a
// name that nobody looks for, given its mode, set to listen, and linked to its
// name, which fails with [os.ErrExist] when that is taken.
func bindAt(folder *os.File, dir, name string) (b *binding, err error) {
	fd, err := newSocket()
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	ln := os.NewFile(uintptr(fd), "control socket")
	defer func() {
		if err != nil {
			ln.Close()
		}
	}()
	temporary := ".ssh-master-" + rand.Text()[:10]
	if err := bindTemporary(fd, folder, dir, temporary); err != nil {
		return nil, err
	}
	defer removeAt(folder, temporary)
	if err := unix.Listen(fd, backlog); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	id, err := identify(folder, temporary)
	if err != nil {
		return nil, err
	}
	if err := putInPlace(folder, temporary, name); err != nil {
		return nil, err
	}
	return &binding{ln, id}, nil
}

// bindTemporary binds fd in the folder with mode 0600.
func bindTemporary(fd int, folder *os.File, dir, temporary string) error {
	address := filepath.Join(dir, temporary)
	if len(address) > maxPath {
		address = shortName(folder, temporary)
	}
	if err := bindPrivate(fd, folder, address, temporary); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// putInPlace gives the socket its name without overwriting anything. Some file
// systems have no links of sockets; a rename that refuses to replace does as
// well there.
func putInPlace(folder *os.File, from, to string) error {
	fd := folderFD(folder)
	err := unix.Linkat(fd, from, fd, to, 0)
	if err == nil || errors.Is(err, unix.EEXIST) {
		return err
	}
	if renamed := renameNoReplace(fd, from, to); renamed == nil || errors.Is(renamed, unix.EEXIST) {
		return renamed
	}
	return fmt.Errorf("link: %w", err)
}

// kind is a person's word for a file of this mode.
func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "regular file"
	case unix.S_IFDIR:
		return "folder"
	case unix.S_IFLNK:
		return "symbolic link"
	default:
		return "file that is no socket"
	}
}
