package control

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sshmaster/master/internal/crew"
	"sshmaster/master/internal/quiet"
	"sshmaster/master/internal/session"
	"sshmaster/muxproto"
)

// helloInfo is the extension by which slaves of OpenSSH 10.3 and later learn
// that they may ask for information.
var helloInfo = muxproto.Extension{Name: "info", Value: "0"}

// replyTime bounds the writing of one answer to a slave that does not read.
const replyTime = 10 * time.Second

// Config is what slaves may do and who does it for them. It is not changed
// after [New].
type Config struct {
	// Opener returns who opens the channels that a slave wants, on a link to the
	// host. That one may wait for a link, and tell and ask the slave meanwhile.
	Opener func(w Wish) session.Opener

	// Forwards opens and cancels forwarded ports for slaves.
	Forwards Forwards

	// SendEnv are the patterns of the environment variables that a slave may
	// send; SetEnv are sent with every session beside them.
	SendEnv []string
	SetEnv  []session.Variable

	// Agent says whether slaves may have the authentication agent forwarded.
	Agent bool

	// X11 prepares X11 forwarding for a session; nil is the answer where there
	// is none.
	X11 func(ctx context.Context) (*session.X11, error)

	// KillRemote has what a killed slave leaves running signalled.
	KillRemote bool

	// PID is what slaves are told: the process that handles SIGWINCH.
	PID int

	// SlaveTimeout bounds how long a slave may take to pass the descriptors
	// that its request announced.
	SlaveTimeout time.Duration

	// Confirm asks the user about a request, for ControlMaster ask. Nil
	// allows everything.
	Confirm func(ctx context.Context, question string) bool

	// Host is the name of the host in those questions.
	Host string

	// Info gives the texts of -O conninfo and -O channels.
	Info func(name string) (text string, ok bool)

	// Numbers numbers channels; nil for numbers of the server's own. Carried
	// lists those that belong to no slave.
	Numbers *Numbers
	Carried func() []ChannelLine

	// Command carries out a request for information whose name ends in
	// "@ssh-master": one that OpenSSH's master does not know. Nil knows none.
	Command func(ctx context.Context, name string) (text string, ok bool)

	// Proxy serves a slave that asked for PROXY, until it leaves.
	Proxy func(ctx context.Context, w Wish, conn *muxproto.Conn) error

	// StopListening takes the control socket away before it returns.
	StopListening func()

	// Terminate begins the end of the master and does not wait for it. The
	// slave that asked has its answer already.
	Terminate func()

	// Busy is called when something begins that keeps an idle master alive;
	// the function it returns when that ends.
	Busy func() (end func())

	Log *slog.Logger
}

// Forwards is where slaves' forwards go.
type Forwards interface {
	// Open begins to forward; when it returns nil, connections are accepted.
	// Port is the one that the host chose where f asked for any. The text of
	// an error is the reason that the slave is told. W says who waits.
	Open(ctx context.Context, w Wish, f muxproto.Forward) (port uint32, err error)

	// Cancel ends a forward. Connections that it carries live on.
	Cancel(ctx context.Context, f muxproto.Forward) error

	// Exists says whether opening f would change nothing.
	Exists(f muxproto.Forward) bool
}

// A Server serves the slaves of one master.
type Server struct {
	cfg Config
	ctx context.Context
	end context.CancelFunc

	serving sync.WaitGroup // counts slaves
	numbers *Numbers

	mu     sync.Mutex
	slaves map[*slave]struct{}
	closed bool
}

// New returns a server that has no slaves yet.
func New(cfg Config) *Server {
	ctx, end := context.WithCancel(context.Background())
	if cfg.Numbers == nil {
		cfg.Numbers = new(Numbers)
	}
	return &Server{cfg: cfg, ctx: ctx, end: end, numbers: cfg.Numbers, slaves: make(map[*slave]struct{})}
}

// Serve admits slaves until l is closed; those that it admitted stay.
func (s *Server) Serve(l *Listener) {
	defer quiet.Hold()()
	for {
		conn, err := l.slave()
		if err != nil {
			return
		}
		s.admit(conn)
	}
}

// admit takes ownership of conn and serves it if its peer may be here.
func (s *Server) admit(conn *muxproto.Conn) {
	if err := SameUser(conn); err != nil {
		s.cfg.Log.Error(err.Error())
		conn.Close()
		return
	}
	v := &slave{srv: s, conn: conn, log: s.cfg.Log, number: s.numbers.Take()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.numbers.Free(v.number)
		conn.Close()
		return
	}
	s.slaves[v] = struct{}{}
	end := s.cfg.Busy()
	s.serving.Add(1)
	var serve func()
	serve = func() {
		if v.serve(s.ctx, serve) {
			return
		}
		s.forget(v)
		end()
		s.serving.Done()
	}
	crew.Go(serve)
}

func (s *Server) forget(v *slave) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.slaves, v)
	s.numbers.Free(v.number)
}

// Close cuts every slave off without an exit message, as when the link is
// lost, and returns when all of their descriptors are closed.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for v := range s.slaves {
		v.cut()
	}
	s.mu.Unlock()
	s.end()
	s.serving.Wait()
	closeNow()
}

// Resize tells the host the size of every slave's terminal, as SIGWINCH asks:
// the signal does not say whose terminal changed.
func (s *Server) Resize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.slaves {
		if p, ok := v.current().(*session.Session); ok {
			go p.Resize()
		}
	}
}
