package upstream

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/hostconfig"
)

const (
	// farewell is how long Close leaves the server to take the last bytes.
	farewell = 250 * time.Millisecond

	// burial is how long Close waits for the library to let go of the closed
	// connection.
	burial = time.Second
)

// A Link is one live SSH connection. Its methods may be called from any
// goroutine and none of them outlives the link.
type Link struct {
	conn     ssh.Conn
	wire     *wire
	host     string // HostName, for sentences
	port     int
	log      *slog.Logger
	hostKeys func(*Link, []byte)
	qos      hostconfig.IPQoS
	started  time.Time
	unsafe   bool
	gatherer gatherer // nil where nothing is gathered
	senders  senders

	asking    atomic.Bool  // a keepalive is on its way
	roundTrip atomic.Int64 // nanoseconds; of the last answered keepalive
	handlers  atomic.Pointer[map[string]func(ssh.NewChannel)]
	serving   atomic.Int64 // handlers of incoming channels that have not returned
	announced atomic.Bool  // the server has announced its host keys

	done chan struct{} // closed when err is set
	gone chan struct{} // closed when the library has let go of the connection
	once sync.Once
	err  error // readable once done is closed
}

// adopt sets who handles the channels that the server opens from now on.
func (l *Link) adopt(handlers map[string]func(ssh.NewChannel)) { l.handlers.Store(&handlers) }

// run starts the link's two goroutines.
func (l *Link) run(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request, p patience) {
	go l.serve(chans, reqs)
	go l.watch(p)
}

// Done is closed when the link has ended, whoever ended it. At that moment
// nothing waits on the link any more; streams of channels end at the latest
// shortly after.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err says why the link ended: a sentence for a person that wraps [ErrClosed],
// [ErrTimeout] or [ErrRemoteClosed] where one of these is the reason. It is nil
// while the link lives.
func (l *Link) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Close ends the link. What was written before is still delivered if the server
// takes it within a quarter of a second. Close may be called more than once,
// takes at most about a second and always returns nil.
func (l *Link) Close() error {
	if l.announce(l.closed()) {
		l.partWays()
		_ = l.wire.Close()
	}
	select {
	case <-l.gone:
	case <-time.After(burial):
	}
	return nil
}

// GiveUp ends the link at once because the server gives no sign of life: whoever
// knows that may know it before the watchdog does.
func (l *Link) GiveUp() {
	l.end(l.unresponsive(fmt.Sprintf("Timeout, server %s not responding.", l.host)))
}

// Silence is how long ago the server's last byte came.
func (l *Link) Silence() time.Duration { return l.wire.silence() }

// RoundTrip is how long the last answered keepalive took; 0 before there was one.
func (l *Link) RoundTrip() time.Duration { return time.Duration(l.roundTrip.Load()) }

// end gives the link up at once, for the given reason.
func (l *Link) end(cause error) {
	if l.announce(cause) {
		_ = l.wire.Close()
	}
}

// partWays tells the server that no more will come and gives it a moment to
// take what was sent: closing a socket with unread input throws away what is
// still on its way out.
func (l *Link) partWays() {
	if l.wire.stuck() > 0 || !l.wire.finish() {
		return
	}
	select {
	case <-l.gone:
	case <-time.After(farewell):
	}
}

// announce ends the link for everybody who waits on it and says whether it did:
// the first reason stays.
func (l *Link) announce(cause error) (first bool) {
	l.once.Do(func() {
		first = true
		l.err = cause
		close(l.done)
		l.log.Debug("link ended", "host", l.host, "cause", cause)
	})
	return first
}

// User is the name that was authenticated.
func (l *Link) User() string { return l.conn.User() }

// Unsafe says that the host's key had changed or was revoked and was accepted
// only because StrictHostKeyChecking is off. Then nothing may be forwarded, as in
// ssh(1): no agent, no X11, no ports.
func (l *Link) Unsafe() bool { return l.unsafe }

// SessionID is the hash of the first key exchange (RFC 4253 section 7.2), which
// a server signs in answer to hostkeys-prove-00@openssh.com.
func (l *Link) SessionID() []byte { return l.conn.SessionID() }
