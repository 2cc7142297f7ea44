package sshtest

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Server is an SSH server for tests. Its methods may be called from several goroutines.
type Server struct {
	listener net.Listener // nil: one given connection
	host     key
	client   key
	config   *ssh.ServerConfig
	options  settings
	log      *Log
	policy   *policy
	wg       sync.WaitGroup // the accept loop and every connection
	done     chan struct{}  // closed by Close

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	counts Counts
	closed bool
}

// Counts is how often something happened on a server, and how much of it there is now.
type Counts struct {
	Connections  int // connections accepted so far
	Logins       int // connections that passed authentication so far
	Channels     int // channels that clients asked for so far, refused ones too
	OpenConns    int // connections now
	OpenChannels int // channels now, forwarding ones too
}

// NewServer starts a server on a free loopback port for as long as the test runs. At the end the test fails if a handler
// does not return.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := Start("127.0.0.1:0", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeInTest(t, s) })
	return s
}

// NewServerOn serves the one connection nc, which becomes the server's, for as long as the test runs. Both sides of SSH
// begin by writing, so net.Pipe does not do: use Pipe.
func NewServerOn(t testing.TB, nc net.Conn, opts ...Option) *Server {
	t.Helper()
	s, err := newServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(nc)
	t.Cleanup(func() { closeInTest(t, s) })
	return s
}

// Start starts a server outside of a test. The caller closes it.
func Start(address string, opts ...Option) (*Server, error) {
	s, err := newServer(opts)
	if err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", address); err != nil {
		return nil, fmt.Errorf("sshtest: %w", err)
	}
	s.wg.Go(s.accept)
	return s, nil
}

func newServer(opts []Option) (*Server, error) {
	s := &Server{
		options: settings{handler: Commands, answer: AcceptAll},
		policy:  newPolicy(),
		done:    make(chan struct{}),
		conns:   map[*Conn]struct{}{},
	}
	for _, opt := range opts {
		opt(&s.options)
	}
	s.log = newLog(s.options.noLog, s.options.logTo)
	var err error
	if s.host, err = newKey("throw-away host key"); err != nil {
		return nil, err
	}
	if s.client, err = newKey("throw-away client key"); err != nil {
		return nil, err
	}
	s.config = s.serverConfig()
	return s, nil
}

// Addr returns the address that clients dial; "localhost:22" stands in when there is none.
func (s *Server) Addr() string {
	if s.listener == nil {
		return "localhost:22"
	}
	return s.listener.Addr().String()
}

// Log returns the record of everything that clients did.
func (s *Server) Log() *Log { return s.log }

// Counts returns the numbers so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Conns returns the connections that are open now and have passed authentication.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var conns []*Conn
	for c := range s.conns {
		if c.ssh != nil {
			conns = append(conns, c)
		}
	}
	return conns
}

// Done is closed when the server begins to close.
func (s *Server) Done() <-chan struct{} { return s.done }

// StopListening closes the port and leaves the connections alone: a client that tries a login of its own now fails.
func (s *Server) StopListening() error {
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// Close ends every connection without a word and returns when every handler has returned. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	for c := range s.conns {
		c.nc.Close()
	}
	s.mu.Unlock()
	s.StopListening()
	s.wg.Wait()
}

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.serve(nc)
	}
}

// serve starts a connection, unless the server is closing.
func (s *Server) serve(nc net.Conn) {
	c := &Conn{server: s, nc: nc, done: make(chan struct{}), listeners: map[string]net.Listener{}}
	c.answers = answers{done: c.done, wg: &c.wg}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	s.counts.Connections++
	s.counts.OpenConns++
	c.Number = s.counts.Connections
	s.conns[c] = struct{}{}
	s.log.add(Event{Kind: KindConnect, Conn: c.Number})
	s.wg.Go(c.serve)
}

// forget takes a connection that has ended off the books.
func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.counts.OpenConns--
	s.log.add(Event{Kind: KindDisconnect, Conn: c.Number})
}

// count changes the numbers under the lock.
func (s *Server) count(change func(*Counts)) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
	return s.counts
}

// closeInTest closes the server and names the handlers that do not return, rather than to wait for the test's time-out.
func closeInTest(t testing.TB, s *Server) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		stacks := make([]byte, 1<<20)
		t.Errorf("sshtest: a handler still runs %v after its connection ended:\n%s", patience, stacks[:runtime.Stack(stacks, true)])
	}
}
