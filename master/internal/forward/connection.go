package forward

import (
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

// A connection is one stream: a socket here and a channel, of which one may
// still be missing. It owns both.
//
//	SOCKS ──▶ opening ──▶ open          from here
//	connecting ──▶ open                 from the host
//	remote SOCKS ──▶ connecting ──▶ open
//	X11 ──▶ open
//	any ── end ──▶ over
type connection struct {
	reg   *Registry
	of    muxproto.Forward // the identity of its forward; the zero value for the agent and X11
	kind  string
	began time.Time
	seq   uint64 // under the registry's lock

	over       chan struct{} // closed by end
	hostClosed chan struct{} // closed when the host has closed the channel or its link ended

	mu    sync.Mutex
	state State
	name  string
	sock  net.Conn
	ch    ssh.Channel
	ended bool
}

// enter makes a connection of a forward known. It returns nil when the registry is closed;
// otherwise leave must be called.
func (r *Registry) enter(of muxproto.Forward, state State, kind, name string) *connection {
	c := &connection{
		reg: r, of: of, kind: kind, began: time.Now(), state: state, name: name,
		over: make(chan struct{}), hostClosed: make(chan struct{}),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.seq++
	c.seq = r.seq
	r.connections[c] = struct{}{}
	r.running.Add(1)
	return c
}

// leave ends the connection and forgets it.
func (c *connection) leave() {
	c.end()
	c.reg.mu.Lock()
	delete(c.reg.connections, c)
	c.reg.mu.Unlock()
	c.reg.running.Done()
}

// become notes how far the connection has come.
func (c *connection) become(state State, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.name = state, name
}

// takeSocket makes the connection the owner of sock, and returns false when it
// has ended before.
func (c *connection) takeSocket(sock net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		sock.Close()
		return false
	}
	c.sock = sock
	return true
}

// takeChannel makes the connection the owner of ch and begins to serve what
// nobody else reads of it. It returns false when the connection has ended
// before.
func (c *connection) takeChannel(ch ssh.Channel, reqs <-chan *ssh.Request) bool {
	c.reg.running.Go(func() {
		defer close(c.hostClosed)
		ssh.DiscardRequests(reqs)
	})
	// Extended data means nothing here, but unread it would use up the window.
	c.reg.running.Go(func() { drain(ch.Stderr()) })
	c.mu.Lock()
	ended := c.ended
	c.ch = ch
	c.mu.Unlock()
	if ended {
		ch.Close()
	}
	return !ended
}

// end closes what the connection has. It may be called more than once and by
// anybody. It waits for the link to take the CLOSE, not for the host's own.
func (c *connection) end() {
	c.mu.Lock()
	first, sock, ch := !c.ended, c.sock, c.ch
	c.ended = true
	c.mu.Unlock()
	if !first {
		return
	}
	close(c.over)
	if sock != nil {
		sock.Close()
	}
	if ch != nil {
		ch.Close()
	}
}
