package control

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// maxPath is the longest path, in bytes, that a slave can connect to: the size
// of sun_path less its final NUL.
const maxPath = 107

// A Listener is a master's control socket. It appears at its path complete,
// with mode 0600 and already accepting, and is put back when somebody deletes
// it while the master runs.
type Listener struct {
	path string // as the user gave it, for messages
	dir  string // absolute
	name string // within dir
	log  *slog.Logger

	conns chan *net.UnixConn
	done  chan struct{} // closed by Close

	mu     sync.Mutex
	bound  *binding // what is at the path; nil after Close
	closed bool
}

// Listen binds the control socket at path, relative to dir when it is not
// absolute. A socket that refuses connections was left behind by a master that
// died, and is replaced; one that accepts is never touched: *[InUseError].
func Listen(path, dir string, log *slog.Logger) (*Listener, error) {
	abs, err := place(path, dir)
	if err != nil {
		return nil, err
	}
	l := &Listener{
		path: path, dir: filepath.Dir(abs), name: filepath.Base(abs), log: log,
		conns: make(chan *net.UnixConn),
		done:  make(chan struct{}),
	}
	b, err := l.bind()
	if err != nil {
		return nil, err
	}
	l.bound = b
	go l.accept(b)
	go l.keep()
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
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close stops accepting and removes the socket from its path if it is still
// this listener's. It may be called more than once.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	err := l.remove(l.bound)
	l.bound.ln.Close()
	l.bound = nil
	return err
}

// accept hands over the connections that arrive on one binding until it is
// closed.
func (l *Listener) accept(b *binding) {
	for {
		c, err := b.ln.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.log.Warn("control socket: accept failed", "error", err)
			if !l.pause(lookAgain) {
				return
			}
			continue
		}
		select {
		case l.conns <- c:
		case <-l.done:
			c.Close()
			return
		}
	}
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

// InUseError says that a live master, or something that is no socket at all,
// is at the path.
type InUseError struct {
	Path string
	PID  uint32 // of the live master, 0 when it did not say
	What string // what is there instead of a socket; empty for a socket
}

func (e *InUseError) Error() string {
	switch {
	case e.What != "":
		return fmt.Sprintf("ControlSocket %s: there is a %s at this path; it is left alone, give another -S or remove it", e.Path, e.What)
	case e.PID != 0:
		return fmt.Sprintf("ControlSocket %s already exists: a master with pid %d listens there; end it with -O exit or give another -S", e.Path, e.PID)
	default:
		return fmt.Sprintf("ControlSocket %s already exists: another master listens there; end it with -O exit or give another -S", e.Path)
	}
}

// folderError explains why a folder cannot hold the socket.
func folderError(path, dir string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("cannot make the control socket %s: there is no folder %s; make it with mkdir -p -m 700 %s", path, dir, dir)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("cannot make the control socket %s: no permission to write in %s; choose a ControlPath in a folder of your own", path, dir)
	default:
		return fmt.Errorf("cannot make the control socket %s: %w", path, err)
	}
}
