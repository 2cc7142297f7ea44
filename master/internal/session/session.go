package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/crew"
	"sshmaster/master/internal/quiet"
	"sshmaster/master/internal/stdio"
)

// flushGrace is how long the bytes already read from a slave that has left may
// take to reach the host before the channel is closed over them.
const flushGrace = 2 * time.Second

// A Session is one channel of type "session" and the three descriptors of the
// slave that asked for it. Most sessions do nothing most of the time, and some
// masters have a thousand: what is needed only for a while is not kept here.
type Session struct {
	req   Request // of which setUp forgets what was sent
	files *stdio.Set
	modes []byte // RFC 4254 section 8, read while the slave's terminal was still cooked
	ch    Berth
	reqs  <-chan *ssh.Request
	esc   *escapes // nil for none

	over      func() // to be called at the end
	closeOnce sync.Once
	eowOnce   sync.Once

	moved   Traffic
	reports reports

	inputUnwanted atomic.Bool // the host sent eow@openssh.com
	exited        bool        // an exit-status was passed on; belongs to take

	sizing   sync.Mutex  // held from reading a size to having sent it, so that the last one sent is the last one read
	resizing atomic.Bool // a Resize waits for sizing, and will read whatever the size is by then

	mu      sync.Mutex
	resting chan struct{} // closed when the input is quiet for the first time; nil then
	done    progress
	started bool
	ended   bool          // the ordinary end, or by Close
	flushed chan struct{} // closed when nothing more goes to the host; nil before Close
}

// Open opens a session channel for a slave and takes ownership of its files,
// which are closed when the host refuses the channel. An *[ssh.OpenChannelError]
// is the host's refusal; other errors are the link's or ctx's.
//
// The slave's terminal modes are read here, before it hears that its session
// is open, because it enters raw mode as soon as it does.
func Open(ctx context.Context, to Opener, req Request, files *stdio.Set) (*Session, error) {
	s := &Session{req: req, files: files, resting: make(chan struct{})}
	ch, reqs, err := to.OpenChannel(ctx, "session", nil)
	if err != nil {
		files.Close()
		return nil, err
	}
	if req.TTY {
		s.modes = terminalModes(files.In)
	}
	s.ch, s.reqs = berthOf(ch), reqs
	return s, nil
}

// Start starts what was asked for and copies until the session is over. Over is
// called then, once, when every descriptor of the slave is closed. Start is called
// once and does not wait.
func (s *Session) Start(slave Reporter, over func()) {
	s.reports.to, s.over = slave, over
	s.mu.Lock()
	s.started = true
	resting := s.resting
	s.mu.Unlock()
	crew.Go(func() { s.takeRequests(resting) })
	go s.copyStdout()
	go s.copyStderr()
	crew.Go(s.setUp)
}

// takeRequests takes what the host asks until it has closed the channel, which may
// be after the end of the session. From resting on it does so without a goroutine.
func (s *Session) takeRequests(resting <-chan struct{}) {
	for {
		select {
		case req, open := <-s.reqs:
			if !s.take(req, open) {
				return
			}
		case <-resting:
			quiet.Receive(s.reqs, s.takeQuietly)
			return
		}
	}
}

func (s *Session) takeQuietly(req *ssh.Request, open bool) {
	if s.take(req, open) {
		quiet.Receive(s.reqs, s.takeQuietly)
	}
}

// take takes one request, or notes that there will be none any more.
func (s *Session) take(req *ssh.Request, open bool) bool {
	if open {
		s.answer(req)
	} else {
		s.ch.Closed()
		s.advance(func(p *progress) { p.requests = true })
	}
	return open
}

// rest is called when the input is quiet: then the host asks little.
func (s *Session) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resting != nil {
		close(s.resting)
		s.resting = nil
	}
}

// finish ends what was started.
func (s *Session) finish() {
	if !s.left() {
		s.mourn()
		s.files.Close()
		s.ch.Close()
	}
	s.reports.close()
	s.over()
}

// mourn tells a slave whose link was lost under it why it gets no exit status.
// It does not look for a loss where the host said how the command ended: that
// takes a while.
func (s *Session) mourn() {
	if s.saidHow() {
		return
	}
	if lost := s.ch.Lost(); lost != nil {
		s.say(lost.Error())
	}
}

// saidHow says whether the host said how the command ended.
func (s *Session) saidHow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done.status
}

// Close ends the session at once, as when its slave has left: unsent output is
// dropped, the slave's descriptors are closed, and the host sees the end of
// its input and then of the channel. It may be called at any time, in place of
// Start too, and more than once, and does not wait for the host.
func (s *Session) Close() {
	s.closeOnce.Do(func() {
		flushed := s.leave()
		if flushed == nil {
			return // it has ended by itself
		}
		s.reports.stop() // a command may end well at the end of its input: ~. is 255
		s.files.Close()
		go s.hangUp(flushed)
	})
}

// leave ends the session without the ordinary end. What it returns is closed when
// nothing more goes to the host; nil after the ordinary end.
func (s *Session) leave() (flushed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.flushed = make(chan struct{})
	if !s.started {
		s.done.stdin = true
		go s.takeRequests(nil)
	}
	if s.done.silent() {
		close(s.flushed)
	}
	s.end()
	return s.flushed
}

// left says whether Close was called.
func (s *Session) left() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushed != nil
}

// hangUp lets the standard input that was already read reach the host, then
// closes the channel; the readers end with the host's own CLOSE.
func (s *Session) hangUp(flushed <-chan struct{}) {
	s.kill()
	s.sendEOW()
	grace := time.NewTimer(flushGrace)
	defer grace.Stop()
	select {
	case <-flushed:
	case <-grace.C:
	}
	s.ch.Close()
}

// kill has the host signal what a slave that left has left running.
func (s *Session) kill() {
	s.mu.Lock()
	runs := !s.done.complete()
	s.mu.Unlock()
	if runs && s.req.KillRemote {
		s.ch.SendRequest("signal", false, ssh.Marshal(signalReq{"TERM"}))
	}
}

// Resize tells the host the size of the slave's terminal as it is now. It does
// nothing for a session without a terminal (RFC 4254 section 6.7), and nothing
// while another Resize waits for a link that is stuck.
func (s *Session) Resize() {
	if !s.req.TTY || !s.resizing.CompareAndSwap(false, true) {
		return
	}
	s.sizing.Lock()
	defer s.sizing.Unlock()
	s.resizing.Store(false)
	size, err := s.files.In.WindowSize()
	if err != nil {
		return
	}
	s.ch.SendRequest("window-change", false, ssh.Marshal(windowChange{size.Cols, size.Rows, size.XPixel, size.YPixel}))
}

// TTY says whether the session asked for a terminal.
func (s *Session) TTY() bool { return s.req.TTY }

// Moved is how many bytes the session has had from the host and sent there.
func (s *Session) Moved() (in, out uint64) { return s.moved.Load() }

// Ended says which directions have ended.
func (s *Session) Ended() (input, output bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done.stdin, s.done.stdout && s.done.stderr
}

// Describe names the session as OpenSSH's channel list does.
func (s *Session) Describe() string { return s.req.Describe() }

// Describe names the kind of session: shell, command or subsystem:NAME.
func (r *Request) Describe() string {
	switch {
	case r.Command == "":
		return "shell"
	case r.Subsystem:
		return "subsystem:" + r.Command
	default:
		return "command"
	}
}

// progress is how far a session has come towards its ordinary end.
type progress struct {
	stdout, stderr bool // at EOF
	requests       bool // the host closed the channel
	status         bool // the host said how the command ended
	stdin          bool // our EOF was sent, or nothing can be sent any more
}

// complete says whether the host can have nothing more to say. A host that
// gave the status, ended its output and saw the end of its input may wait for
// our CLOSE.
func (p progress) complete() bool {
	return p.stdout && p.stderr && (p.requests || p.status && p.stdin)
}

// silent says whether the host gets nothing more of the slave's input.
func (p progress) silent() bool { return p.stdin || p.complete() }

// advance notes a step and ends the session when it was the last one.
func (s *Session) advance(step func(*progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	silent := s.done.silent()
	step(&s.done)
	if s.flushed != nil && !silent && s.done.silent() {
		close(s.flushed)
	}
	if s.done.complete() {
		s.end()
	}
}

// end finishes the session, once. The lock is held.
func (s *Session) end() {
	if s.started && !s.ended {
		s.ended = true
		crew.Go(s.finish)
	}
}
