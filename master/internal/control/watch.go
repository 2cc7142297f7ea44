package control

import (
	"errors"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// lookAgain is how often the path is looked at while nothing tells of changes:
// the folder itself is gone, or the system has no more watches to give.
const lookAgain = time.Second

// settle is how long a deletion may take to be complete: whoever removes the
// whole folder must not find it filled again behind his back.
const settle = 50 * time.Millisecond

// keep puts the socket back whenever somebody deletes it, until Close. Scripts
// that clean up after other masters do that, and the sessions of this one
// would go on with no way in.
func (l *Listener) keep() {
	for l.watch() {
		if !l.pause(lookAgain) {
			return
		}
	}
}

// watch follows the folder's changes, and returns true when it has to be begun
// anew.
func (l *Listener) watch() (again bool) {
	w, err := fsnotify.NewBufferedWatcher(64)
	if err != nil {
		l.log.Debug("control socket: no watch", "error", err)
		l.restore()
		return true
	}
	defer w.Close()
	if err := w.Add(l.dir); err != nil {
		l.restore()
		return true
	}
	// A look at once: the watch knows nothing of what happened before it.
	look := time.After(settle)
	for {
		select {
		case <-l.done:
			return false
		case <-look:
			l.restore()
		case e, ok := <-w.Events:
			if !ok || l.folderGone(e) {
				return true
			}
			if e.Has(fsnotify.Remove | fsnotify.Rename) {
				look = time.After(settle)
			}
		case <-w.Errors: // events may have been lost
			look = time.After(settle)
		}
	}
}

// folderGone says whether the watch itself has lost its object.
func (l *Listener) folderGone(e fsnotify.Event) bool {
	return e.Name == l.dir && e.Has(fsnotify.Remove|fsnotify.Rename)
}

// pause waits for d, and returns false when the listener was closed.
func (l *Listener) pause(d time.Duration) bool {
	select {
	case <-l.done:
		return false
	case <-time.After(d):
		return true
	}
}

// restore binds the path again when there is nothing at it. What somebody else
// put there is left alone.
func (l *Listener) restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.missing() {
		return
	}
	b, err := l.bind()
	if err != nil {
		l.log.Warn("the control socket was deleted and cannot be put back", "path", l.path, "error", err)
		return
	}
	l.log.Info("the control socket was deleted; it is back", "path", l.path)
	l.bound.ln.Close()
	l.bound = b
	go l.accept(b)
}

func (l *Listener) missing() bool {
	folder, err := openFolder(l.dir)
	if err != nil {
		return false // no folder to put it in; its return is waited for
	}
	defer folder.Close()
	_, err = identify(folder, l.name)
	return errors.Is(err, os.ErrNotExist)
}
