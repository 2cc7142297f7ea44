package sshtest

import (
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Conn is one client's connection to a server.
type Conn struct {
	Number int // from 1, as in Event.Conn

	server  *Server
	nc      net.Conn
	ssh     *ssh.ServerConn // set under the server's lock when authentication passed
	answers answers         // to global requests
	wg      sync.WaitGroup  // everything that runs on the connection
	done    chan struct{}   // closed when the connection has ended

	mu        sync.Mutex
	sessions  int  // open now
	noMore    bool // the client promised to open no more sessions
	ended     bool // nothing may be added to wg or listeners from outside
	listeners map[string]net.Listener
	proving   []ssh.Signer
}

// freeGrace is how long a session that would be one too many waits for the end of another one to be noticed: the client
// has the server's CLOSE before the goroutine that counts it ran.
const freeGrace = 25 * time.Millisecond

// Close cuts the connection, without a disconnect message.
func (c *Conn) Close() error { return c.nc.Close() }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// User returns the name under which the client logged in.
func (c *Conn) User() string { return c.ssh.User() }

// ClientVersion returns the identification that the client sent.
func (c *Conn) ClientVersion() string { return string(c.ssh.ClientVersion()) }

// SendRequest sends a global request to the client and, with wantReply, waits for its answer.
func (c *Conn) SendRequest(name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return c.ssh.SendRequest(name, wantReply, payload)
}

// OpenChannel opens a channel to the client, such as auth-agent@openssh.com or x11. Requests on it are refused.
func (c *Conn) OpenChannel(name string, extra []byte) (ssh.Channel, error) {
	ch, reqs, err := c.ssh.OpenChannel(name, extra)
	if err != nil {
		return nil, err
	}
	c.track(func() { ssh.DiscardRequests(reqs) })
	return ch, nil
}

// track runs f as a part of the connection, unless that has ended.
func (c *Conn) track(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.wg.Go(f)
	}
}

func (c *Conn) event(e Event) {
	e.Conn = c.Number
	c.server.log.add(e)
}

// serve is the connection's life.
func (c *Conn) serve() {
	defer c.server.forget(c)
	defer c.nc.Close()
	sshConn, chans, reqs, err := ssh.NewServerConn(c.nc, c.config())
	if err != nil {
		return
	}
	c.server.count(func(*Counts) { c.ssh = sshConn })
	c.event(Event{Kind: KindLogin, Name: sshConn.User()})
	c.wg.Go(func() { c.serveGlobals(reqs) })
	for ch := range chans {
		c.open(ch)
	}
	sshConn.Close()
	close(c.done)
	c.end()
	c.wg.Wait()
}

// end closes what would outlive the connection.
func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, l := range c.listeners {
		l.Close()
	}
}

// config is the server's configuration with a record of this connection's attempts to authenticate.
func (c *Conn) config() *ssh.ServerConfig {
	config := *c.server.config
	inner := config.AuthLogCallback
	config.AuthLogCallback = func(conn ssh.ConnMetadata, method string, err error) {
		var partial *ssh.PartialSuccessError
		refused := err != nil && !errors.As(err, &partial)
		c.event(Event{Kind: KindAuth, Name: method, Refused: refused})
		if err == nil {
			c.server.count(func(n *Counts) { n.Logins++ }) // before the client knows
		}
		if inner != nil {
			inner(conn, method, err)
		}
	}
	return &config
}

// open decides over a channel that the client asks for. It must not block: all the connection's traffic waits for it.
func (c *Conn) open(wish ssh.NewChannel) {
	name := wish.ChannelType()
	e := Event{Kind: KindOpen, Name: name, Payload: wish.ExtraData(), Detail: openDetail(name, wish.ExtraData())}
	e.Channel = c.server.count(func(n *Counts) { n.Channels++ }).Channels
	refused, gate := c.server.policy.of(name)
	var serve func(ssh.NewChannel, int)
	switch name {
	case "session":
		c.openSession(wish, e, refused, gate)
		return
	case "direct-tcpip":
		serve = c.directTCP
	case "direct-streamlocal@openssh.com":
		serve = c.directUnix
	}
	e.Refused = refused || serve == nil
	c.event(e)
	c.wg.Go(func() {
		wait(gate, c.done)
		if e.Refused {
			c.refuse(wish, refused)
			return
		}
		serve(wish, e.Channel)
	})
}

// openSession starts a session, or refuses it in sshd's words.
func (c *Conn) openSession(wish ssh.NewChannel, e Event, refused bool, gate <-chan struct{}) {
	free := !refused && c.takeSlot()
	if refused || free {
		e.Refused = refused
		c.event(e)
	}
	c.wg.Go(func() {
		if !refused && !free {
			free = c.awaitSlot()
			e.Refused = !free
			c.event(e)
		}
		wait(gate, c.done)
		if !free {
			c.refuse(wish, false)
			return
		}
		c.session(wish, e.Channel)
	})
}

// refuse answers as sshd does: prohibited by policy, or the general failure.
func (c *Conn) refuse(wish ssh.NewChannel, prohibited bool) {
	reason := ssh.ConnectionFailed
	if prohibited {
		reason = ssh.Prohibited
	}
	wish.Reject(reason, "open failed")
}

func (c *Conn) takeSlot() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.server.options.maxSessions
	if c.noMore || limit > 0 && c.sessions >= limit {
		return false
	}
	c.sessions++
	return true
}

// awaitSlot tries again for a moment.
func (c *Conn) awaitSlot() bool {
	for end := time.Now().Add(freeGrace); time.Now().Before(end); {
		if c.takeSlot() {
			return true
		}
		time.Sleep(freeGrace / 25)
	}
	return false
}

func (c *Conn) freeSlot() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions--
}
