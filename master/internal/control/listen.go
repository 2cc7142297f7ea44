package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sshmaster/muxproto"
)

// maxPath is the longest path, in bytes, that a slave can connect to: the size
// of sun_path less its final NUL.
const maxPath = 107

// A Listener is a master's control socket. It appears at its path complete,
// with mode 0600 and already accepting, and is put back when somebody deletes
// it while the master runs. It has no goroutine of its own.
type Listener struct {
	path    string // as the user gave it, for messages
	dir     string // absolute
	name    string // within dir
	folders *Folders
	log     *slog.Logger
	done    chan struct{} // closed by Close

	mu    sync.Mutex
	bound *binding // what is at the path; nil after Close
	left  bool     // Close was called
}

// Listen binds the control socket at path, relative to dir when it is not
// absolute. A socket that refuses connections was left behind by a master that
// died, and is replaced; one that accepts is never touched: *[InUseError]. Folders
// tells when the socket is deleted; nil does not.
func Listen(path, dir string, folders *Folders, log *slog.Logger) (*Listener, error) {
	abs, err := place(path, dir)
	if err != nil {
		return nil, err
	}
	l := &Listener{
		path: path, dir: filepath.Dir(abs), name: filepath.Base(abs), folders: folders, log: log,
		done: make(chan struct{}),
	}
	if l.bound, err = l.bind(); err != nil {
		return nil, err
	}
	folders.enter(l)
	return l, nil
}

// Check says what Listen would find wrong with path before anything is bound,
// so that nobody types a password for a master that cannot listen.
func Check(path, dir string) error {
	abs, err := place(path, dir)
	if err != nil {
		return err
	}
	folder, err := openFolder(filepath.Dir(abs))
	if err == nil {
		defer folder.Close()
		err = writable(folder)
	}
	if err != nil {
		return folderError(path, filepath.Dir(abs), err)
	}
	_, err = inspect(folder, filepath.Base(abs), path)
	return err
}

// place is the full path of the socket. What slaves connect to is the path as
// they were given it, so the length of that counts.
func place(path, dir string) (string, error) {
	if len(path) > maxPath {
		return "", fmt.Errorf("ControlPath too long ('%s' >= %d bytes): a shorter one is needed, such as ~/.ssh/cm-%%C", path, maxPath+1)
	}
	if filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.Join(dir, path), nil
}

// Path is where slaves find the socket, as it was given to [Listen].
func (l *Listener) Path() string { return l.path }

// Accept returns the next connection; the caller owns it. After Close it
// returns [net.ErrClosed].
func (l *Listener) Accept() (*net.UnixConn, error) {
	return accept(l, func(f *os.File) (*net.UnixConn, error) {
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			return nil, err
		}
		return c.(*net.UnixConn), nil
	})
}

// slave is Accept for those who speak PROTOCOL.mux.
func (l *Listener) slave() (*muxproto.Conn, error) { return accept(l, muxproto.NewFileConn) }

// accept returns the next connection, whose file is given to made.
func accept[C any](l *Listener, made func(*os.File) (C, error)) (c C, err error) {
	for {
		b := l.binding()
		if b == nil {
			return c, net.ErrClosed
		}
		f, err := b.accept()
		if err == nil {
			c, err = made(f)
		}
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, net.ErrClosed): // by Close, or because another one is bound now
		default:
			l.log.Warn("control socket: accept failed", "error", err)
			l.pause(acceptAgain)
		}
	}
}

// acceptAgain is how long a failure to accept, such as of a process with too many
// open files, is left to pass.
const acceptAgain = time.Second

// pause waits for d, or for Close.
func (l *Listener) pause(d time.Duration) {
	select {
	case <-l.done:
	case <-time.After(d):
	}
}

func (l *Listener) binding() *binding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bound
}

// Close removes the socket from its path if it is still this listener's, and stops
// accepting when whoever had connected by then is accepted. It may be called more
// than once.
func (l *Listener) Close() error {
	l.folders.leave(l)
	l.mu.Lock()
	b, first := l.bound, !l.left
	l.left = true
	l.mu.Unlock()
	if !first {
		return nil
	}
	err := l.remove(b)
	for end := time.Now().Add(lastCalls); b.waiting() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	close(l.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bound = nil
	b.ln.Close()
	return err
}

// lastCalls bounds how long Close waits for those to be accepted who had connected
// before.
const lastCalls = 250 * time.Millisecond

// Restore binds the path again when there is nothing at it, and says whether the
// listener is there. After Close it does nothing, and what somebody else put there
// is left alone.
func (l *Listener) Restore() (listens bool) {
	listens, _ = l.restore()
	return listens
}

// restore also says whether there is no folder to put the socket in.
func (l *Listener) restore() (listens, homeless bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left {
		return false, false
	}
	if there, missing, err := l.look(); err != nil || !missing {
		return there, err != nil
	}
	b, err := l.bind()
	if err != nil {
		l.log.Warn("the control socket was deleted and cannot be put back", "path", l.path, "error", err)
		return false, false
	}
	l.log.Info("the control socket was deleted; it is back", "path", l.path)
	l.bound.ln.Close()
	l.bound = b
	return true, false
}

// look says whether the listener's own socket is at the path, and whether nothing
// is. The error is of the folder.
func (l *Listener) look() (there, missing bool, err error) {
	folder, err := openFolder(l.dir)
	if err != nil {
		return false, false, err
	}
	defer folder.Close()
	id, err := identify(folder, l.name)
	return err == nil && id == l.bound.id, errors.Is(err, os.ErrNotExist), nil
}

// bind puts a listening socket at the path while holding the folder's lock, so
// that two masters never replace the same stale socket.
func (l *Listener) bind() (*binding, error) {
	folder, err := openFolder(l.dir)
	if err != nil {
		return nil, folderError(l.path, l.dir, err)
	}
	defer folder.Close()
	unlock := lockFolder(folder)
	defer unlock()
	stale, err := inspect(folder, l.name, l.path)
	if err != nil {
		return nil, err
	}
	if stale {
		l.log.Info("replacing a stale control socket", "path", l.path)
		if err := removeAt(folder, l.name); err != nil {
			return nil, fmt.Errorf("cannot remove the stale control socket %s: %w", l.path, err)
		}
	}
	b, err := bindAt(folder, l.dir, l.name)
	if errors.Is(err, os.ErrExist) {
		return nil, &InUseError{Path: l.path}
	}
	if err != nil {
		return nil, folderError(l.path, l.dir, err)
	}
	return b, nil
}

// remove takes b's socket away from the path, unless somebody else's is there.
func (l *Listener) remove(b *binding) error {
	folder, err := openFolder(l.dir)
	if err != nil {
		return nil // the folder is gone, and the socket with it
	}
	defer folder.Close()
	unlock := lockFolder(folder)
	defer unlock()
	if id, err := identify(folder, l.name); err != nil || id != b.id {
		return nil
	}
	return removeAt(folder, l.name)
}
