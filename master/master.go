package master

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/forward/x11"
	"sshmaster/master/internal/hostconfig"
	"sshmaster/master/internal/session"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/pool"
)

// ErrTerminated is why Serve returned when a slave asked for the end of the
// master with ssh -O exit.
var ErrTerminated = errors.New("terminated by ssh -O exit")

// A DialError says in ssh's words why the host could not be reached or did not
// let the user in, and how far the master came.
type DialError = upstream.DialError

// A Master holds links to one host for the slaves on its control socket.
type Master struct {
	opts   Options
	host   *Host
	set    *Set
	log    *slog.Logger
	began  time.Time
	around atomic.Pointer[surroundings]

	pool     *pool.Pool
	byStock  atomic.Bool // stock ssh makes the links
	homes    atomic.Int64
	resting  atomic.Bool     // its links are being closed
	ctx      context.Context // ends with the master
	cancel   context.CancelFunc
	listener *control.Listener
	server   *control.Server
	forwards *forward.Registry
	display  *x11.Forwarding // nil for none
	idle     idle
	numbers  control.Numbers

	started  bool
	draining atomic.Bool
	served   atomic.Bool // Serve was called, or Shutdown in its place
	ending   chan error  // why the master ends; the first counts
	endOnce  sync.Once
	ended    chan struct{} // closed when Serve has cleaned up
	accepted sync.WaitGroup
}

// New checks opts and returns a master that has not begun to do anything.
func New(opts Options) (*Master, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, err
	}
	m := &Master{
		opts: opts, host: opts.Host, set: opts.Set, log: opts.Log, began: time.Now(),
		ending: make(chan error, 1),
		ended:  make(chan struct{}),
	}
	if m.set == nil {
		m.set = NewSet(opts.Log)
	}
	m.around.Store(&surroundings{Environment: hostconfig.NewEnvironment(opts.Env)})
	m.opts.Env = nil
	m.idle.persist = opts.Host.ControlPersist.Idle
	if opts.OnDemand {
		m.idle.rest = m.rest
	}
	m.idle.retire = m.stopListening
	m.idle.expired = func() { m.end(m.drained()) }
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.pool = m.newPool()
	m.forwards = m.newForwards()
	m.display = m.newDisplay()
	m.server = control.New(m.controlConfig())
	return m, nil
}

// Start connects to the host, unless LazyConnect or OnDemand leaves that to the
// first slave, and binds the control socket; when it returns nil, the socket accepts
// slaves. The path is looked at before the host is dialled, so that nobody
// authenticates for a master that cannot listen. On an error nothing is left behind.
// Its errors are one line for a person; an [*InUseError] says who has the path.
func (m *Master) Start(ctx context.Context) error {
	why, err := m.transport(ctx)
	if err != nil {
		return err
	}
	m.byStock.Store(why != "")
	if err := m.judge(why != ""); err != nil {
		return err
	}
	if err := m.checkPath(); err != nil {
		return err
	}
	err = m.begin(ctx)
	if err == nil {
		err = m.listen(ctx)
	}
	if err != nil {
		m.cancel()
		m.unlink()
		return err
	}
	m.started = true
	return nil
}

// checkPath says whether the socket can be bound. Who is to be replaced is asked to
// go when there is something in its place.
func (m *Master) checkPath() error {
	err := control.Check(m.opts.Control, m.opts.Dir)
	var held *InUseError
	if m.opts.Replace && errors.As(err, &held) && held.PID != 0 {
		return nil
	}
	return err
}

// begin connects, and opens what the configuration wants forwarded. What is not
// opened here is opened with the first link.
func (m *Master) begin(ctx context.Context) error {
	switch {
	case m.opts.OnDemand:
		return nil
	case m.host.Own.LazyConnect:
		return m.openForwards(ctx, local)
	}
	if err := m.pool.Connect(ctx); err != nil {
		return err
	}
	if err := m.openForwards(ctx, local); err != nil {
		return err
	}
	return m.openForwards(ctx, remote)
}

// listen binds the socket and admits slaves.
func (m *Master) listen(ctx context.Context) error {
	if m.opts.Replace {
		if err := control.Replace(ctx, m.opts.Control, m.opts.Dir); err != nil {
			return err
		}
	}
	l, err := control.Listen(m.opts.Control, m.opts.Dir, m.set.folders, m.log)
	if err != nil {
		return err
	}
	m.listener = l
	m.idle.start()
	m.accepted.Go(func() { m.server.Serve(l) })
	return nil
}

// controlConfig is what slaves of this master may do.
func (m *Master) controlConfig() control.Config {
	return control.Config{
		Opener:        m.opener,
		Forwards:      slaveForwards{m},
		SendEnv:       m.host.SendEnv,
		SetEnv:        variables(m.host.SetEnv),
		Agent:         m.host.ForwardAgent.Enabled,
		X11:           m.prepareX11,
		KillRemote:    m.host.Own.KillRemote,
		PID:           os.Getpid(),
		SlaveTimeout:  m.host.Own.SlaveTimeout,
		Confirm:       m.confirmer(),
		Host:          m.host.HostName,
		Info:          m.info,
		Command:       m.command,
		Numbers:       &m.numbers,
		Carried:       m.carried,
		Proxy:         m.proxy,
		StopListening: m.stopListening,
		Terminate:     m.terminate,
		Busy:          m.idle.begin,
		Log:           m.log,
	}
}

// variables splits SetEnv's "NAME=value".
func variables(entries []string) []session.Variable {
	var vs []session.Variable
	for _, e := range entries {
		if name, value, ok := strings.Cut(e, "="); ok {
			vs = append(vs, session.Variable{Name: name, Value: value})
		}
	}
	return vs
}

// Serve returns when the master has ended and everything of it is gone: with
// nil after Shutdown, after ctx, after ControlPersist's time, unless it is one
// OnDemand, or after ssh -O stop and the last session, and with [ErrTerminated]
// after ssh -O exit. The master outlives its links. Serve starts the master if [Master.Start] was not
// called. It is called once; after Shutdown it returns nil.
func (m *Master) Serve(ctx context.Context) error {
	if !m.served.CompareAndSwap(false, true) {
		return nil
	}
	defer close(m.ended)
	if !m.started {
		if err := m.Start(ctx); err != nil {
			return err
		}
	}
	defer m.clean()
	select {
	case err := <-m.ending:
		return err
	case <-ctx.Done():
		return nil
	}
}

// clean frees the path first, so that nobody comes to a master that is leaving,
// then lets the slaves go, and the links last.
func (m *Master) clean() {
	m.cancel()
	m.leavePath()
	m.server.Close()
	m.unlink()
}

// unlink ends forwards and links.
func (m *Master) unlink() {
	m.forwards.Close()
	m.pool.Close()
	m.set.network.leave(m)
	if m.opts.Set == nil {
		m.set.Close()
	}
}

// end makes Serve return err.
func (m *Master) end(err error) {
	m.endOnce.Do(func() { m.ending <- err })
}

// Shutdown ends the master, as SIGTERM does: slaves are cut off. It returns
// when all is cleaned up, or with ctx's error. Whoever wants to end a Start
// ends its context instead.
func (m *Master) Shutdown(ctx context.Context) error {
	m.end(nil)
	if m.served.CompareAndSwap(false, true) {
		defer close(m.ended)
		if m.started {
			m.clean()
		}
		return nil
	}
	select {
	case <-m.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// terminate is -O exit: the end at once, or under ExitMode drain that of the last
// session, and until then of what it takes to have a new one.
func (m *Master) terminate() {
	if m.host.Own.ExitMode != "drain" {
		m.end(ErrTerminated)
		return
	}
	m.draining.Store(true)
	m.stopListening()
}

// drained is why a master ends that nothing keeps alive.
func (m *Master) drained() error {
	if m.draining.Load() {
		return ErrTerminated
	}
	return nil
}

// Path is where the master listens, or will.
func (m *Master) Path() string { return m.controlPath() }

// Resize tells the host the size of each slave's terminal, for SIGWINCH.
func (m *Master) Resize() { m.server.Resize() }

// stopListening frees the path; what runs goes on, and the master ends with it.
// Who was admitted before the path was free has begun to run.
func (m *Master) stopListening() {
	m.leavePath()
	m.idle.stopListening()
}

// leavePath stops listening, and returns when nobody is admitted any more.
func (m *Master) leavePath() {
	if err := m.listener.Close(); err != nil {
		m.log.Warn("the control socket stays behind", "path", m.listener.Path(), "error", err)
	}
	m.accepted.Wait()
}
