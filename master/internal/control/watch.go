package control

import (
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// lookAgain is how often sockets are looked at of whose folders nothing tells:
	// a folder is gone, or the system has no more watches to give.
	lookAgain = time.Second

	// settle is how long a deletion may take to be complete: whoever removes the
	// whole folder must not find it filled again behind his back.
	settle = 50 * time.Millisecond
)

// Folders puts control sockets back that somebody deletes. Scripts that clean up
// after other masters do that, and the sessions of this one would go on with no
// way in. All folders share one watch of the system's, which gives each user few.
// The nil Folders watches nothing.
//
//	bound, or deleted ──settle──▶ looked at, and put back
//	folder gone ──▶ looked for again and again ──▶ back: looked at
type Folders struct {
	log     *slog.Logger
	changed chan struct{} // holds a token when what the lock guards has changed
	done    chan struct{} // closed by Close
	running sync.WaitGroup

	mu      sync.Mutex
	within  group // the listeners of each folder
	named   group // the listeners of each name, in whatever folder
	doubted map[*Listener]struct{}
	started bool
	closed  bool
}

// NewFolders returns a Folders that watches as soon as there is something to watch.
func NewFolders(log *slog.Logger) *Folders {
	return &Folders{
		log: log, changed: make(chan struct{}, 1), done: make(chan struct{}),
		within: make(group), named: make(group), doubted: make(map[*Listener]struct{}),
	}
}

// Close ends the watch and returns when nothing of it is left.
func (f *Folders) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.done)
	}
	f.mu.Unlock()
	f.running.Wait()
}

// enter looks after l until it leaves, and once at the beginning: nobody watched
// while it was bound.
func (f *Folders) enter(l *Listener) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.within.put(l.dir, l)
	f.named.put(l.name, l)
	f.suspect([]*Listener{l})
	if !f.started {
		f.started = true
		f.running.Go(f.run)
	}
	poke(f.changed)
}

func (f *Folders) leave(l *Listener) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.within.drop(l.dir, l)
	f.named.drop(l.name, l)
	delete(f.doubted, l)
	poke(f.changed)
}

// run watches until Close.
func (f *Folders) run() {
	for {
		w, err := fsnotify.NewBufferedWatcher(64)
		if err == nil {
			again := (&watch{Folders: f, system: w, followed: make(map[string]bool)}).run()
			w.Close()
			if !again {
				return
			}
		} else {
			f.log.Debug("control sockets: no watch", "error", err)
		}
		f.doubt("")
		f.look()
		select {
		case <-f.done:
			return
		case <-time.After(lookAgain):
		}
	}
}

// doubt has the sockets of a folder looked at, or with "" those of all.
func (f *Folders) doubt(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for d, listeners := range f.within {
		if d == dir || dir == "" {
			f.suspect(listeners)
		}
	}
}

// deleted notes that something is gone from a folder, and says whether a socket of
// ours may have been there. One folder can have several names, of which the system
// tells one, so it is the socket's own name that counts.
func (f *Folders) deleted(path string) (ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	listeners := f.named[filepath.Base(path)]
	f.suspect(listeners)
	return len(listeners) > 0
}

// suspect has listeners looked at; the lock is held.
func (f *Folders) suspect(listeners []*Listener) {
	for _, l := range listeners {
		f.doubted[l] = struct{}{}
	}
}

// look puts back what is missing of what is doubted, and says whether a folder is
// missing, too.
func (f *Folders) look() (missing bool) {
	f.mu.Lock()
	doubted := f.doubted
	f.doubted = make(map[*Listener]struct{})
	f.mu.Unlock()
	for l := range doubted {
		_, homeless := l.restore()
		missing = missing || homeless
	}
	return missing
}

// A watch is the system's watch over the folders, as long as it lasts.
type watch struct {
	*Folders
	system   *fsnotify.Watcher
	followed map[string]bool // folders whose changes it tells
}

// run follows the folders, and returns true when the watch has to be begun anew.
func (w *watch) run() (again bool) {
	lost := make(chan struct{}, 1)
	w.running.Go(func() { // at any time: fsnotify may hold its lock while it tells of an error
		for range w.system.Errors {
			poke(lost)
		}
	})
	poke(w.changed)
	settled, retry := stopped(), stopped()
	defer settled.Stop()
	defer retry.Stop()
	for {
		select {
		case <-w.done:
			return false
		case <-w.changed:
			if !w.follow() {
				retry.Reset(lookAgain)
			}
			settled.Reset(settle)
		case <-retry.C:
			if all := w.follow(); w.look() || !all {
				retry.Reset(lookAgain)
			}
		case <-settled.C:
			if w.look() {
				w.forget()
				retry.Reset(lookAgain)
			}
		case <-lost: // and with it, perhaps, events
			w.doubt("")
			settled.Reset(settle)
		case e, ok := <-w.system.Events:
			switch {
			case !ok:
				return true
			case !e.Has(fsnotify.Remove | fsnotify.Rename):
			case w.followed[e.Name]: // the folder itself
				w.forget()
				retry.Reset(lookAgain)
			case w.deleted(e.Name):
				settled.Reset(settle)
			}
		}
	}
}

// follow brings the watch in line with the folders that there are sockets in, and
// says whether all of them are watched. What happened in a folder before it was is
// not known.
func (w *watch) follow() (all bool) {
	want, gone := w.folders(), false
	for dir := range w.followed {
		if !want[dir] {
			_ = w.system.Remove(dir)
			gone = true
		}
	}
	if gone {
		w.forget()
	}
	all = true
	for dir := range want {
		if w.followed[dir] {
			continue
		}
		if w.system.Add(dir) == nil {
			w.followed[dir] = true
		} else {
			all = false
		}
		w.doubt(dir)
	}
	return all
}

// forget has all folders followed anew: one is gone, perhaps by several names. The
// system tells of the end of a folder that nothing holds any more, but a socket that
// was bound there does.
func (w *watch) forget() { clear(w.followed) }

// folders are those that there are sockets in.
func (f *Folders) folders() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make(map[string]bool, len(f.within))
	for dir := range f.within {
		all[dir] = true
	}
	return all
}

// A group holds listeners under a word that they have in common.
type group map[string][]*Listener

func (g group) put(word string, l *Listener) { g[word] = append(g[word], l) }

func (g group) drop(word string, l *Listener) {
	g[word] = slices.DeleteFunc(g[word], func(other *Listener) bool { return other == l })
	if len(g[word]) == 0 {
		delete(g, word)
	}
}

// poke leaves a token in a channel with room for one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// stopped is a timer that does not run yet.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
