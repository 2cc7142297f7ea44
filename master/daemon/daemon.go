package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"sshmaster/master"
	"sshmaster/master/internal/control"
)

// A Listener is where the daemon is asked: [Listen]'s, or one that came from the
// system's service manager.
type Listener interface {
	// Accept returns the next connection, and [net.ErrClosed] after Close.
	Accept() (*net.UnixConn, error)
	Close() error
}

// Listen binds the daemon's socket, mode 0600 in a folder of the user's own. The
// stale one of a daemon that died is replaced; where one runs, it says so. A nil log
// discards what happens.
func Listen(p Place, log *slog.Logger) (Listener, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := p.Prepare(); err != nil {
		return nil, err
	}
	l := listener{folders: control.NewFolders(log)}
	var err error
	if l.Listener, err = control.Listen(p.Socket, "/", l.folders, log); err != nil {
		l.folders.Close()
		return nil, err
	}
	return l, nil
}

// A listener is the daemon's own socket, which is put back when somebody deletes
// it.
type listener struct {
	*control.Listener
	folders *control.Folders
}

// Close stops listening and removes the socket.
func (l listener) Close() error {
	err := l.Listener.Close()
	l.folders.Close()
	return err
}

// Config is what a daemon needs to know.
type Config struct {
	// Version is what a host is told of the program after "SSH-2.0-sshmaster_".
	Version string

	// PID is the process that gets SIGWINCH and calls [Daemon.Resize].
	PID int

	// Log gets what happens. Nil discards it.
	Log *slog.Logger
}

// A Daemon holds the masters of one user on one machine.
type Daemon struct {
	cfg      Config
	log      *slog.Logger
	set      *master.Set
	resolver *resolver

	over context.Context // ends when Serve is to return
	end  func()

	serving sync.WaitGroup // counts masters
	asking  sync.WaitGroup // counts connections, and what else makes masters

	mu      sync.Mutex
	posts   map[string]*post // by control path
	leaving map[*master.Master]struct{}
	closed  bool // no master is made any more
}

// New returns a daemon without masters.
func New(cfg Config) *Daemon {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Daemon{
		cfg: cfg, log: cfg.Log, set: master.NewSet(cfg.Log), resolver: newResolver(cfg.Log),
		posts: make(map[string]*post), leaving: make(map[*master.Master]struct{}),
	}
	d.over, d.end = context.WithCancel(context.Background())
	d.set.OnJump(d.jumped)
	return d
}

// Serve answers on l until ctx ends or somebody ends the daemon; it closes l, and
// returns when every master has ended. It is called once.
func (d *Daemon) Serve(ctx context.Context, l Listener) {
	defer context.AfterFunc(ctx, d.Close)()
	d.asking.Go(func() { d.leave(l) })
	if own, ok := l.(listener); ok {
		d.asking.Go(func() { d.watch(own) })
	}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			d.log.Warn("the daemon's socket", "error", err)
			d.pause() // there may be no descriptor left, for a moment
			continue
		}
		d.asking.Go(func() { d.converse(conn) })
	}
	d.asking.Wait()
	d.serving.Wait()
	d.set.Close()
}

// leave stops accepting when the daemon ends. Its own socket is free at once, for
// the next daemon. On one of a service manager's, which starts no other daemon as
// long as this one runs, who comes is told so until the last session has ended.
func (d *Daemon) leave(l Listener) {
	<-d.over.Done()
	if _, own := l.(listener); !own {
		d.serving.Wait()
	}
	l.Close()
}

// lookTime is how often the daemon looks whether its socket is its own.
const lookTime = 10 * time.Second

// watch ends the daemon, with its last session, when another one has taken its
// path: nobody can ask this one for anything any more.
func (d *Daemon) watch(l listener) {
	look := time.NewTicker(lookTime)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if l.Restore() {
				continue
			}
			d.log.Warn("another one has taken the daemon's path: this one ends with its last session")
			d.finish(true)
			d.end()
		case <-d.over.Done():
		}
		return
	}
}

// acceptAgain is how long after a failure the next connection is accepted.
const acceptAgain = 100 * time.Millisecond

func (d *Daemon) pause() {
	select {
	case <-time.After(acceptAgain):
	case <-d.over.Done():
	}
}

// Close ends the daemon and every master at once, as SIGTERM does.
func (d *Daemon) Close() {
	d.finish(false)
	d.end()
}

// finish ends all masters: at once, or each with its last session. No path is held
// any more when it returns, and no master is made.
func (d *Daemon) finish(drain bool) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	var leaving sync.WaitGroup
	for _, m := range d.masters() {
		leaving.Go(func() {
			if drain {
				m.Drain()
			} else {
				_ = m.Shutdown(context.Background())
			}
		})
	}
	leaving.Wait()
}

// masters are all that run, also those that listen no more.
func (d *Daemon) masters() []*master.Master {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*master.Master
	for _, p := range d.posts {
		if m := p.holder(); m != nil {
			all = append(all, m)
		}
	}
	for m := range d.leaving {
		all = append(all, m)
	}
	return all
}

// Resize has every master look at the size of its slaves' terminals.
func (d *Daemon) Resize() {
	for _, m := range d.masters() {
		m.Resize()
	}
}

// List describes the masters, in the order of their hosts' names.
func (d *Daemon) List() []master.Status {
	var all []master.Status
	for _, m := range d.masters() {
		all = append(all, m.Status())
	}
	slices.SortFunc(all, func(a, b master.Status) int {
		return strings.Compare(a.Host+"\x00"+a.Control, b.Host+"\x00"+b.Control)
	})
	return all
}
