package sshtest

import (
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Handler runs one session. It is called when the channel is open, before any request; when it returns, the channel is
// closed. What it does not answer for itself is answered for it: see Answer, Refuse and Hold.
type Handler func(*Session)

// Session is the server's end of a session channel. Read gives the client's input; Write and Stderr are its two outputs.
// Reading may be done by one goroutine; everything else by any.
type Session struct {
	Channel int   // number on this server, as in Event.Channel
	Conn    *Conn // the connection it belongs to

	ch      ssh.Channel
	answers answers
	closed  chan struct{} // closed when the channel has ended
	eof     sync.Once

	started bool // a start request was accepted; used by the goroutine that receives requests only

	mu     sync.Mutex
	more   *sync.Cond
	queue  []*Request
	ended  bool
	pty    *Pty
	env    []string
	agent  bool
	x11    bool
	starts *Request
}

// session accepts a session channel and runs its handler.
func (c *Conn) session(wish ssh.NewChannel, number int) {
	ch, reqs, err := wish.Accept()
	if err != nil {
		c.freeSlot()
		return
	}
	c.server.count(func(n *Counts) { n.OpenChannels++ })
	s := &Session{Channel: number, Conn: c, ch: ch, closed: make(chan struct{})}
	s.answers = answers{done: s.closed, wg: &c.wg}
	s.more = sync.NewCond(&s.mu)
	c.wg.Go(func() { s.receive(reqs) })
	if d := c.server.options.startWithin; d > 0 {
		defer time.AfterFunc(d, s.closeUnstarted).Stop()
	}
	c.server.options.handler(s)
	s.Close()
}

// closeUnstarted ends the session, unless something was started on it.
func (s *Session) closeUnstarted() {
	s.mu.Lock()
	started := s.starts != nil
	s.mu.Unlock()
	if !started {
		s.Close()
	}
}

// receive takes the channel's requests until it ends. Nothing here blocks.
func (s *Session) receive(reqs <-chan *ssh.Request) {
	for r := range reqs {
		req := &Request{Name: r.Type, WantReply: r.WantReply, Payload: r.Payload}
		refused, gate := s.Conn.server.policy.of(r.Type)
		words, wellFormed := req.detail()
		req.Accepted = !refused && wellFormed && !(s.started && req.Starts()) && s.Conn.server.options.answer(s, req)
		s.started = s.started || req.Accepted && req.Starts()
		s.event(Event{Kind: KindRequest, Name: req.Name, Detail: words, WantReply: req.WantReply, Refused: !req.Accepted, Payload: req.Payload})
		s.answers.add(gate, func() {
			if r.WantReply {
				r.Reply(req.Accepted, nil)
			}
			s.deliver(req)
		})
	}
	s.Conn.freeSlot()
	s.Conn.server.count(func(n *Counts) { n.OpenChannels-- })
	s.noteEOF()
	s.event(Event{Kind: KindClose})
	close(s.closed)
	s.end()
}

func (s *Session) event(e Event) {
	e.Channel = s.Channel
	s.Conn.event(e)
}

// deliver hands an answered request to the handler.
func (s *Session) deliver(req *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Accepted {
		s.remember(req)
	}
	s.queue = append(s.queue, req)
	s.more.Broadcast()
}

// remember keeps what a program of this session would be started with.
func (s *Session) remember(req *Request) {
	switch req.Name {
	case "pty-req":
		pty, _ := req.Pty()
		s.pty = &pty
	case "window-change":
		if size, _ := req.WindowChange(); s.pty != nil {
			s.pty.Size = size
		}
	case "env":
		name, value, _ := req.Env()
		s.env = append(s.env, name+"="+value)
	case "auth-agent-req@openssh.com":
		s.agent = true
	case "x11-req":
		s.x11 = true
	}
	if req.Starts() {
		s.starts = req
	}
}

func (s *Session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.more.Broadcast()
}

// Next returns the session's next request, in order and after it was answered; false when the channel has ended and all
// were seen.
func (s *Session) Next() (*Request, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 {
		if s.ended {
			return nil, false
		}
		s.more.Wait()
	}
	req := s.queue[0]
	s.queue = s.queue[1:]
	return req, true
}

// Start takes requests until the accepted one that starts a program, and returns it; false when the channel ends first.
func (s *Session) Start() (*Request, bool) {
	for {
		req, ok := s.Next()
		if !ok || req.Accepted && req.Starts() {
			return req, ok
		}
	}
}

// Pty returns the terminal that was asked for and granted, with its latest size; nil when there is none.
func (s *Session) Pty() *Pty {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pty == nil {
		return nil
	}
	pty := *s.pty
	return &pty
}

// Env returns the accepted environment as NAME=value, in the order received.
func (s *Session) Env() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.env...)
}

// Wants reports whether agent and X11 forwarding were asked for and accepted.
func (s *Session) Wants() (agent, x11 bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agent, s.x11
}

// Done is closed when the channel has ended.
func (s *Session) Done() <-chan struct{} { return s.closed }

// Read reads the client's input. io.EOF comes after EOF, after CLOSE, and at the end of the connection.
func (s *Session) Read(p []byte) (int, error) {
	n, err := s.ch.Read(p)
	if err == io.EOF {
		s.noteEOF()
	}
	return n, err
}

func (s *Session) noteEOF() {
	s.eof.Do(func() { s.event(Event{Kind: KindEOF}) })
}

// Write writes to the client's standard output.
func (s *Session) Write(p []byte) (int, error) { return s.ch.Write(p) }

// Stderr writes to the client's standard error.
func (s *Session) Stderr() io.Writer { return s.ch.Stderr() }

// ExitStatus sends exit-status, as often as it is called, and does not end anything.
func (s *Session) ExitStatus(status uint32) error {
	_, err := s.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
	return err
}

// ExitSignal sends exit-signal; name is without SIG, such as "TERM".
func (s *Session) ExitSignal(name, message string) error {
	_, err := s.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
		Name     string
		Core     bool
		Message  string
		Language string
	}{Name: name, Message: message}))
	return err
}

// SendRequest sends a request on the channel, such as keepalive@openssh.com or eow@openssh.com, and, with wantReply, waits
// for the answer.
func (s *Session) SendRequest(name string, wantReply bool, payload []byte) (bool, error) {
	return s.ch.SendRequest(name, wantReply, payload)
}

// CloseWrite sends EOF: no more output. It must not overlap with Write.
func (s *Session) CloseWrite() error { return s.ch.CloseWrite() }

// Close sends CLOSE, without EOF and status if those were not sent before. Calling it again does nothing.
func (s *Session) Close() error {
	if err := s.ch.Close(); err != nil && err != io.EOF {
		return fmt.Errorf("sshtest: close the channel: %w", err)
	}
	return nil
}

// Exit ends the session in the usual order: exit-status, EOF, CLOSE.
func (s *Session) Exit(status uint32) {
	s.ExitStatus(status)
	s.CloseWrite()
	s.Close()
}
