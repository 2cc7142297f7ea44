package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/identity"
)

// Causes that end a login from within.
var (
	errConnectTimeout = errors.New("ConnectTimeout")
	errSilence        = errors.New("the server does not answer")
)

// A login is the SSH handshake over one connection: greeting, key exchange,
// host key, authentication.
type login struct {
	*dialer
	wire     *wire
	greeting string // our own, "SSH-2.0-..."
	ctx      context.Context
	giveUp   context.CancelCauseFunc
	watch    *stopwatch
	stage    atomic.Int32 // Stage, as far as the callbacks know it

	mu       sync.Mutex
	accepted []byte // the host key, in wire form
	refused  error  // why the host key was not accepted
	unsafe   bool   // it was accepted against better knowledge
}

// shaken is what the library made of a handshake.
type shaken struct {
	conn  ssh.Conn
	chans <-chan ssh.NewChannel
	reqs  <-chan *ssh.Request
	err   error
}

// login runs the handshake over nc, which it owns. began is when the connection
// was first tried, from which ConnectTimeout counts.
func (d *dialer) login(ctx context.Context, nc net.Conn, began time.Time) (*Link, error) {
	g := &login{dialer: d, wire: newWire(nc), greeting: "SSH-2.0-sshmaster_" + d.Version}
	g.ctx, g.giveUp = context.WithCancelCause(ctx)
	defer g.giveUp(nil)
	if limit := d.Host.ConnectTimeout; limit > 0 {
		g.watch = newStopwatch(limit-time.Since(began), func() { g.giveUp(errConnectTimeout) })
		defer g.watch.stop()
	}
	go g.listen()

	result := make(chan shaken, 1)
	go g.shake(result)
	select {
	case s := <-result:
		if s.err == nil {
			return g.link(s), nil
		}
		return nil, g.failure(s.err)
	case <-g.ctx.Done():
		_ = g.wire.Close()
		go bin(result)
		return nil, g.failure(context.Cause(g.ctx))
	}
}

// shake runs the library's handshake. Its own context ends with the connection
// too, so that nobody is asked for a password that has nowhere to go.
func (g *login) shake(result chan<- shaken) {
	var s shaken
	ctx, nc := identity.Watch(g.ctx, g.wire)
	s.conn, s.chans, s.reqs, s.err = ssh.NewClientConn(nc, g.addr(), g.config(g.authenticate(ctx)))
	if s.err != nil && Stage(g.stage.Load()) == Authenticated && g.ctx.Err() == nil {
		s.err = g.Authenticator.Explain(s.err)
	}
	_ = g.Authenticator.Close()
	result <- s
}

// bin waits for a handshake that nobody waits for any more. If it succeeded all
// the same its connection is closed already.
func bin(result <-chan shaken) {
	s := <-result
	if s.err != nil {
		return
	}
	_ = s.conn.Close()
	go ssh.DiscardRequests(s.reqs)
	for nc := range s.chans {
		_ = nc.Reject(ssh.Prohibited, "open failed")
	}
}

func (g *login) config(auth ssh.ClientAuthCallback) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		Config:            g.transport,
		User:              g.Host.User,
		HostKeyCallback:   g.checkHostKey,
		HostKeyAlgorithms: g.hostKeys,
		BannerCallback:    g.banner,
		ClientVersion:     g.greeting,
		AuthCallback:      auth,
	}
}

// listen gives the login up when the server leaves our last bytes unanswered for
// too long: without a ConnectTimeout, and after it was met.
func (g *login) listen() {
	limit := g.silenceLimit()
	tick := time.NewTicker(max(limit/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-tick.C:
			if g.wire.owed() > limit || g.wire.stuck() > limit {
				g.giveUp(errSilence)
				return
			}
		}
	}
}

// silenceLimit is ServerAliveInterval x ServerAliveCountMax, as in ssh(1) before
// the session, or else longer than sshd's own LoginGraceTime.
func (d *dialer) silenceLimit() time.Duration {
	if limit := min(d.Host.ServerAliveInterval, time.Hour) * time.Duration(min(d.Host.ServerAliveCountMax, 1000)); limit > 0 {
		return limit
	}
	return stallLimit
}

// checkHostKey judges the server's key. The library asks again at each rekey,
// then usually with the same key.
func (g *login) checkHostKey(_ string, remote net.Addr, key ssh.PublicKey) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	form := key.Marshal()
	if bytes.Equal(g.accepted, form) {
		return nil
	}
	first := g.accepted == nil
	if first {
		g.stage.Store(int32(Verified))
		g.watch.pause()
		defer g.watch.resume()
	}
	if err := g.Verifier.Check(g.ctx, remote, key); err != nil {
		g.refused = err
		return err
	}
	g.accepted = form
	if first {
		g.unsafe = g.mistrust()
		g.stage.Store(int32(Keyed))
	}
	return nil
}

// authenticate returns the hook that chooses the next attempt to authenticate.
// By the first one the server has met ConnectTimeout.
func (g *login) authenticate(ctx context.Context) ssh.ClientAuthCallback {
	next := g.Authenticator.AuthCallback(ctx)
	return func(offered *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		g.watch.stop()
		g.stage.Store(int32(Authenticated))
		return next(offered)
	}
}

// banner shows the server's words (RFC 4252 section 5.4) unless the user wants
// quiet.
func (g *login) banner(text string) error {
	switch g.Host.LogLevel {
	case "QUIET", "FATAL", "ERROR":
		return nil
	}
	eachLine(text, g.say)
	return nil
}

// link makes the link of a handshake that succeeded.
func (g *login) link(s shaken) *Link {
	g.watch.stop()
	g.mu.Lock()
	unsafe := g.unsafe
	g.mu.Unlock()
	l := &Link{
		conn: s.conn, wire: g.wire, host: g.Host.HostName, port: g.Host.Port, log: g.Log,
		hostKeys: g.HostKeys, qos: g.Host.IPQoS, started: time.Now(), unsafe: unsafe,
		done: make(chan struct{}), gone: make(chan struct{}),
	}
	l.gatherer, _ = beneath[gatherer](g.wire.Conn)
	l.adopt(g.Channels)
	l.run(s.chans, s.reqs, newPatience(cmp.Or(g.Host.ServerAliveInterval, aliveInterval), g.Host.ServerAliveCountMax, g.WriteTimeout))
	info := l.Info()
	if w, ok := g.wire.Conn.(*whole); ok && aead(info.Algorithms.Write.Cipher) {
		w.holdWrites()
	}
	g.Log.Debug("link up", "host", l.host, "user", l.User(), "server", info.ServerVersion,
		"kex", info.Algorithms.KeyExchange, "hostkey", info.Algorithms.HostKey, "cipher", info.Algorithms.Write.Cipher)
	return l
}
