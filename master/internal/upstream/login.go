package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
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

	mu         sync.Mutex
	accepted   []byte // the host key, in wire form
	refused    error  // why the host key was not accepted
	allowed    []string
	unprovable error // why there was no further attempt to authenticate
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
	go func() {
		var s shaken
		s.conn, s.chans, s.reqs, s.err = ssh.NewClientConn(g.wire, d.addr(), g.config())
		result <- s
	}()
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

func (g *login) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		Config:            g.transport,
		User:              g.Host.User,
		HostKeyCallback:   g.checkHostKey,
		HostKeyAlgorithms: g.hostKeys,
		BannerCallback:    g.banner,
		ClientVersion:     g.greeting,
		AuthCallback:      g.nextMethod,
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
func (g *login) silenceLimit() time.Duration {
	if limit := min(g.Host.ServerAliveInterval, time.Hour) * time.Duration(min(g.Host.ServerAliveCountMax, 1000)); limit > 0 {
		return limit
	}
	return stallLimit
}

// checkHostKey judges the server's key. The library asks again at each rekey;
// then the key has to be the same.
func (g *login) checkHostKey(addr string, remote net.Addr, key ssh.PublicKey) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	wire := key.Marshal()
	if g.accepted != nil {
		if !bytes.Equal(g.accepted, wire) {
			return fmt.Errorf("the host key of %s changed during the connection", g.Host.HostName)
		}
		return nil
	}
	g.stage.Store(int32(Verified))
	g.watch.pause()
	defer g.watch.resume()
	if err := g.Verifier.Check(g.ctx, addr, remote, key); err != nil {
		g.refused = err
		return err
	}
	g.accepted = wire
	g.stage.Store(int32(Keyed))
	return nil
}

// nextMethod chooses the next attempt to authenticate. By the first one the
// server has met ConnectTimeout.
func (g *login) nextMethod(offered *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	g.watch.stop()
	g.stage.Store(int32(Authenticated))
	g.mu.Lock()
	g.allowed = offered.AllowedMethods
	g.mu.Unlock()
	method, err := g.Authenticator.Next(g.ctx, offered)
	if err == nil && method == nil {
		err = errors.New("nothing left to try")
	}
	if err != nil {
		g.mu.Lock()
		g.unprovable = err
		g.mu.Unlock()
		return nil, err
	}
	return method, nil
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
	l := &Link{
		conn: s.conn, wire: g.wire, host: g.Host.HostName, port: g.Host.Port, log: g.Log,
		handlers: g.Channels, hostKeys: g.HostKeys, qos: g.Host.IPQoS, started: time.Now(),
		done: make(chan struct{}), gone: make(chan struct{}),
	}
	l.run(s.chans, s.reqs, newPatience(g.Host.ServerAliveInterval, g.Host.ServerAliveCountMax, g.WriteTimeout))
	info := l.Info()
	g.Log.Debug("link up", "host", l.host, "user", l.User(), "server", info.ServerVersion,
		"kex", info.Algorithms.KeyExchange, "hostkey", info.Algorithms.HostKey, "cipher", info.Algorithms.Write.Cipher)
	return l
}
