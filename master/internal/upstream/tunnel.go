package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// mourning is how long a stream that ended waits for the news that its link
// has ended too.
const mourning = 50 * time.Millisecond

// A tunnel is a stream through a jump host: a channel of the link to that host,
// as a network connection for the next link.
//
// A channel knows no deadlines, and x/crypto lets go of one only when the
// peer has agreed to its end. So a deadline that passes closes the tunnel, and
// a Read or Write that is under way returns when the jump host has answered
// or the link to it has ended. New ones fail at once.
type tunnel struct {
	ch    ssh.Channel
	via   *held
	hop   string // the jump host's name, for sentences
	to    string // host:port
	write sync.Mutex

	once   sync.Once
	closed chan struct{} // closed when reason is set
	reason error

	parted atomic.Bool // we have said that no more will come

	mu     sync.Mutex
	timers [2]*time.Timer // reading, writing
}

// newTunnel takes over ch, the requests of which are being read, and one user's
// share of via.
func newTunnel(ch ssh.Channel, via *held, hop, to string) *tunnel {
	return &tunnel{ch: ch, via: via, hop: hop, to: to, closed: make(chan struct{})}
}

// Read reads what the host sent. The end of the link to the jump host is a
// *jumpEnd. Extended data has no meaning here and is not read: a jump host that
// sends some stops its own stream.
func (t *tunnel) Read(p []byte) (int, error) {
	if err := t.over(); err != nil {
		return 0, err
	}
	n, err := t.ch.Read(p)
	return n, t.explain(err)
}

// Write sends to the host.
func (t *tunnel) Write(p []byte) (int, error) {
	if err := t.over(); err != nil {
		return 0, err
	}
	t.write.Lock()
	defer t.write.Unlock()
	n, err := t.ch.Write(p)
	return n, t.explain(err)
}

// over is why the tunnel was closed, nil while it was not.
func (t *tunnel) over() error {
	select {
	case <-t.closed:
		return t.reason
	default:
		return nil
	}
}

// explain tells the end of a stream from the end of the link that carried it,
// of which the channel hears a little earlier than the link's owner.
func (t *tunnel) explain(err error) error {
	if err == nil {
		return nil
	}
	if reason := t.over(); reason != nil {
		return reason
	}
	wait := mourning
	switch {
	case t.via.link.wire.fault() != nil:
		wait = burial
	case t.parted.Load():
		wait = 0
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-t.via.link.Done():
		return endOf(t.hop, t.via.link)
	case <-t.closed:
		return t.reason
	case <-timer.C:
		return err
	}
}

// CloseWrite tells the host that no more will come. It fails when a Write is
// stuck, and does not wait long for a jump host that does not take it.
func (t *tunnel) CloseWrite() error {
	if !t.write.TryLock() {
		return errors.New("upstream: a write is under way")
	}
	t.parted.Store(true)
	sent := make(chan error, 1)
	go func() {
		defer t.write.Unlock()
		sent <- t.ch.CloseWrite()
	}()
	select {
	case err := <-sent:
		return err
	case <-time.After(farewell):
		return os.ErrDeadlineExceeded
	}
}

// Close ends the stream. It does not wait for the jump host.
func (t *tunnel) Close() error {
	t.end(net.ErrClosed)
	return nil
}

// end closes the tunnel for a reason, the first of which counts.
func (t *tunnel) end(reason error) {
	t.once.Do(func() {
		t.reason = reason
		close(t.closed)
		_ = t.SetDeadline(time.Time{})
		go t.bury()
	})
}

// bury closes the channel and then leaves the link, which is closed too if
// nobody else is on it.
func (t *tunnel) bury() {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = t.ch.Close()
	}()
	select {
	case <-sent:
	case <-time.After(farewell):
	}
	t.via.leave()
}

// LocalAddr names no address of the network's: there is none.
func (t *tunnel) LocalAddr() net.Addr { return jumpAddr("127.0.0.1:65535") }

// RemoteAddr names the host and how it is reached.
func (t *tunnel) RemoteAddr() net.Addr { return jumpAddr(t.to + " through " + t.hop) }

// SetDeadline sets both deadlines. One that passes closes the tunnel.
func (t *tunnel) SetDeadline(at time.Time) error {
	t.setTimer(0, at)
	t.setTimer(1, at)
	return nil
}

// SetReadDeadline is [tunnel.SetDeadline] for one of two deadlines.
func (t *tunnel) SetReadDeadline(at time.Time) error {
	t.setTimer(0, at)
	return nil
}

// SetWriteDeadline is [tunnel.SetDeadline] for the other.
func (t *tunnel) SetWriteDeadline(at time.Time) error {
	t.setTimer(1, at)
	return nil
}

func (t *tunnel) setTimer(i int, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timers[i] != nil {
		t.timers[i].Stop()
		t.timers[i] = nil
	}
	if !at.IsZero() && t.over() == nil {
		t.timers[i] = time.AfterFunc(time.Until(at), func() { t.end(os.ErrDeadlineExceeded) })
	}
}

// A jumpAddr is an address beyond a jump host.
type jumpAddr string

// Network is "ssh": what carries the bytes.
func (jumpAddr) Network() string  { return "ssh" }
func (a jumpAddr) String() string { return string(a) }

// A jumpEnd says that a stream ended because the link to a jump host did.
type jumpEnd struct {
	hop   string
	cause error // the link's
}

// endOf is why the streams over a link ended that has ended. Where that link
// went through another one that ended, it is that one which is named.
func endOf(hop string, l *Link) error {
	cause := l.Err()
	var deeper *jumpEnd
	if errors.As(cause, &deeper) {
		return deeper
	}
	return &jumpEnd{hop, cause}
}

func (e *jumpEnd) Error() string {
	return fmt.Sprintf("jump host %s: %s", e.hop, strings.TrimSuffix(e.cause.Error(), "."))
}

// Unwrap returns the link's reason. That we closed the link to the jump host is
// none to say that we closed those beyond.
func (e *jumpEnd) Unwrap() []error {
	if errors.Is(e.cause, ErrClosed) {
		return []error{ErrRemoteClosed, io.EOF}
	}
	return []error{e.cause}
}
