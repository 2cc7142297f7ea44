package forward

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"sshmaster/muxproto"
)

// goodbye is how long Close waits for a host that does not answer a CLOSE.
const goodbye = time.Second

// A Registry holds the forwards of one master and the connections that they
// carry. Its methods may be called from any goroutine.
type Registry struct {
	cfg     Config
	log     *slog.Logger
	remotes *Remotes

	ctx  context.Context // ends with the registry
	stop context.CancelFunc

	running sync.WaitGroup // counts listeners, connections and what they consist of

	mu          sync.Mutex
	forwards    map[muxproto.Forward]*entry // by identity
	connections map[*connection]struct{}
	seq         uint64
	closed      bool
}

// An entry is one forward that was asked for.
//
//	asked for ──▶ ready ──▶ cancelled
//	     └─▶ failed: out of the table before ready is closed
type entry struct {
	forward muxproto.Forward
	seq     uint64
	began   time.Time
	ready   chan struct{} // closed when the fields below are settled

	err       error
	listeners []net.Listener // of a local one
	at        At             // of a remote one, as Remotes knows it
}

// New returns a registry without forwards.
func New(cfg Config) *Registry {
	cfg = cfg.complete()
	ctx, stop := context.WithCancel(context.Background())
	return &Registry{
		cfg: cfg, log: cfg.Log, ctx: ctx, stop: stop,
		remotes:     newRemotes(cfg),
		forwards:    make(map[muxproto.Forward]*entry),
		connections: make(map[*connection]struct{}),
	}
}

// Remotes is the table of what the host listens on for this master.
func (r *Registry) Remotes() *Remotes { return r.remotes }

// identity is what makes two forwards the same one: all that was asked for, with
// local and dynamic ones in one list, as in OpenSSH.
func identity(f muxproto.Forward) muxproto.Forward {
	if f.Type == muxproto.ForwardDynamic {
		f.Type = muxproto.ForwardLocal
	}
	return f
}

// Open begins to forward. When it returns nil, connections are accepted; port
// is then the one that the host chose, for a remote forward that asked for any,
// else 0. Opening a forward that there is already changes nothing. The text of
// an error is the reason that a slave is told: [ErrInvalid], [ErrFailed] or a
// [*RemoteError].
//
// When ctx ends first, Open returns its cause and the forward is opened all the
// same, as OpenSSH does for a slave that left.
func (r *Registry) Open(ctx context.Context, f muxproto.Forward) (port uint32, err error) {
	if !valid(f) {
		return 0, ErrInvalid
	}
	e := r.want(f)
	if e == nil {
		return 0, ErrFailed
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if e.err != nil {
		return 0, e.err
	}
	return r.allocated(e), nil
}

// allocated is the port that the host chose, or 0 where it had no choice.
func (r *Registry) allocated(e *entry) uint32 {
	if e.forward.Type == muxproto.ForwardRemote && e.forward.ListenPort == 0 {
		return r.remotes.port(e.at)
	}
	return 0
}

// want returns the entry of f and begins to establish a new one. It returns nil
// when the registry is closed.
func (r *Registry) want(f muxproto.Forward) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if e := r.forwards[identity(f)]; e != nil {
		return e
	}
	r.seq++
	e := &entry{forward: f, seq: r.seq, began: time.Now(), ready: make(chan struct{})}
	r.forwards[identity(f)] = e
	r.running.Go(func() { r.establish(e) })
	return e
}

// establish does what the entry asks for, and forgets it if that fails.
func (r *Registry) establish(e *entry) {
	defer close(e.ready)
	if e.forward.Type == muxproto.ForwardRemote {
		e.err = r.establishRemote(e)
	} else {
		e.err = r.establishLocal(e)
	}
	if e.err != nil {
		r.forget(e)
	}
}

// forget takes e out of the table, and returns false when it was not in it.
func (r *Registry) forget(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := identity(e.forward)
	if r.forwards[key] != e {
		return false
	}
	delete(r.forwards, key)
	return true
}

// Cancel ends a forward that is the same as f in every field. The connections
// that it carries live on. Its errors are [ErrInvalid], [ErrNotForwarded] and
// ctx's.
func (r *Registry) Cancel(ctx context.Context, f muxproto.Forward) error {
	if !knownType(f.Type) {
		return ErrInvalid
	}
	r.mu.Lock()
	e := r.forwards[identity(f)]
	r.mu.Unlock()
	if e == nil {
		return ErrNotForwarded
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if e.err != nil || !r.forget(e) {
		return ErrNotForwarded
	}
	if e.forward.Type == muxproto.ForwardRemote {
		return r.cancelRemote(ctx, e)
	}
	e.stopListening()
	return nil
}

func (e *entry) stopListening() {
	for _, l := range e.listeners {
		l.Close()
	}
}

// Exists says whether opening f would change nothing: because there is such a
// forward, or because there cannot be one.
func (r *Registry) Exists(f muxproto.Forward) bool {
	if !valid(f) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.forwards[identity(f)] != nil
}

// Close ends every forward and every connection and returns when nothing of
// them runs any more, at the latest after a second: what a dead link still
// holds is let go with the link. It may be called more than once. Files of unix
// sockets stay, as OpenSSH leaves them.
func (r *Registry) Close() {
	r.stop()
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.endAll()
	}
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		r.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(goodbye):
	}
}

// endAll closes listeners and connections. An entry that is not ready yet sees
// that the context has ended. Each connection is ended by itself, because its
// link may be stuck.
func (r *Registry) endAll() {
	for _, e := range r.forwards {
		select {
		case <-e.ready:
			e.stopListening()
		default:
			r.running.Go(func() {
				<-e.ready
				e.stopListening()
			})
		}
	}
	for c := range r.connections {
		r.running.Go(c.end)
	}
}
