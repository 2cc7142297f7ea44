package master

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/forward"
	"sshmaster/master/internal/forward/x11"
	"sshmaster/master/internal/session"
	"sshmaster/master/internal/upstream"
)

// ErrTerminated is why Serve returned when a slave asked for the end of the
// master with ssh -O exit.
var ErrTerminated = errors.New("terminated by ssh -O exit")

// A DialError says in ssh's words why the host could not be reached or did not
// let the user in, and how far the master came.
type DialError = upstream.DialError

// A Master holds a link to one host for the slaves on its control socket.
type Master struct {
	opts Options
	host *Host
	log  *slog.Logger

	link     link
	listener *control.Listener
	server   *control.Server
	forwards *forward.Registry
	display  *x11.Forwarding // nil for none
	idle     idle
	numbers  control.Numbers

	started  bool
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
		opts: opts, host: opts.Host, log: opts.Log,
		ending: make(chan error, 1),
		ended:  make(chan struct{}),
	}
	m.idle.persist = opts.Host.ControlPersist.Idle
	m.idle.retire = m.stopListening
	m.idle.expired = func() { m.end(nil) }
	m.forwards = m.newForwards()
	m.display = m.newDisplay()
	m.server = control.New(m.controlConfig())
	return m, nil
}

// Start connects to the host and binds the control socket; when it returns nil,
// the socket accepts slaves. The path is looked at before the host is dialled,
// so that nobody authenticates for a master that cannot listen. On an error
// nothing is left behind. Its errors are one line for a person.
func (m *Master) Start(ctx context.Context) error {
	why, err := m.transport(ctx)
	if err != nil {
		return err
	}
	byStock := why != ""
	if err := m.judge(byStock); err != nil {
		return err
	}
	if err := control.Check(m.opts.Control, m.opts.Dir); err != nil {
		return err
	}
	if m.link, err = m.connect(ctx, byStock); err != nil {
		return err
	}
	err = m.openForwards(ctx)
	if err == nil {
		err = m.listen()
	}
	if err != nil {
		m.forwards.Close()
		m.link.Close()
		return err
	}
	m.started = true
	return nil
}

// listen binds the socket and admits slaves.
func (m *Master) listen() error {
	l, err := control.Listen(m.opts.Control, m.opts.Dir, m.log)
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
		Opener:        route{m},
		Forwards:      slaveForwards{m},
		SendEnv:       m.host.SendEnv,
		SetEnv:        variables(m.host.SetEnv),
		Agent:         m.forwardsAgent,
		X11:           m.prepareX11,
		EOW:           m.hostIsOpenSSH,
		PID:           os.Getpid(),
		SlaveTimeout:  m.host.Own.SlaveTimeout,
		Confirm:       m.confirmer(),
		Host:          m.host.HostName,
		Info:          m.info,
		Numbers:       &m.numbers,
		Carried:       m.carried,
		Proxy:         m.proxy,
		StopListening: m.stopListening,
		Terminate:     func() { m.end(ErrTerminated) },
		Busy:          m.idle.begin,
		Log:           m.log,
	}
}

// route is how slaves' channels reach the host: on the master's link of the
// moment.
type route struct{ m *Master }

// OpenChannel opens a channel to the host.
func (r route) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return r.m.link.OpenChannel(ctx, name, extra)
}

// SendRequest sends a global request to the host.
func (r route) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return r.m.link.SendRequest(ctx, name, wantReply, payload)
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

// hostIsOpenSSH says whether the host's software is known to understand
// OpenSSH's own channel requests.
func (m *Master) hostIsOpenSSH() bool {
	return strings.HasPrefix(m.link.Info().ServerVersion, "SSH-2.0-OpenSSH")
}

// forwardsAgent says whether sessions may have the agent forwarded: not to a
// host whose key has changed.
func (m *Master) forwardsAgent() bool { return m.host.ForwardAgent.Enabled && !m.link.Unsafe() }

// Serve returns when the master has ended and everything of it is gone: with
// nil after Shutdown, after ctx, after ControlPersist's time or after
// ssh -O stop and the last session; with [ErrTerminated] after ssh -O exit;
// and with the link's own error when that was lost. It starts the master if
// [Master.Start] was not called. It is called once; after Shutdown it returns
// nil.
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
	case <-m.link.Done():
		return m.link.Err()
	case <-ctx.Done():
		return nil
	}
}

// clean frees the path first, so that nobody comes to a master that is leaving,
// then lets the slaves go, and the link last.
func (m *Master) clean() {
	m.leavePath()
	m.server.Close()
	m.forwards.Close()
	m.link.Close()
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
