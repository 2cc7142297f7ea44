package sshtest

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Relay is a loopback TCP relay to one target: a network that tests can freeze, delay, narrow and cut. It is transparent
// until told otherwise, half-close included.
type Relay struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup
	done     chan struct{}

	mu       sync.Mutex
	closed   bool
	frozen   chan struct{} // not nil while everything is frozen; closed by Thaw
	delay    time.Duration
	rate     int // bytes a second and direction; 0: no limit
	pairs    map[*pair]struct{}
	accepted int
}

// NewRelay starts a relay to the address target for as long as the test runs.
func NewRelay(t testing.TB, target string) *Relay {
	t.Helper()
	r, err := StartRelay(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// StartRelay starts a relay outside of a test. The caller closes it.
func StartRelay(target string) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sshtest: %w", err)
	}
	r := &Relay{listener: l, target: target, done: make(chan struct{}), pairs: map[*pair]struct{}{}}
	r.wg.Go(r.accept)
	return r, nil
}

// Addr returns the address to dial in place of the target's.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Accepted returns how many connections were made through the relay so far.
func (r *Relay) Accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// Freeze stops all traffic, of later connections too, until Thaw. Nothing is closed or lost: TCP stays alive, and what is
// sent fills the buffers.
func (r *Relay) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen == nil {
		r.frozen = make(chan struct{})
	}
}

// FreezePresent stops the traffic of the connections that exist now, until Thaw; later ones work.
func (r *Relay) FreezePresent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.pairs {
		if p.frozen == nil {
			p.frozen = make(chan struct{})
		}
	}
}

// Thaw takes back Freeze and FreezePresent.
func (r *Relay) Thaw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen != nil {
		close(r.frozen)
		r.frozen = nil
	}
	for p := range r.pairs {
		if p.frozen != nil {
			close(p.frozen)
			p.frozen = nil
		}
	}
}

// Delay makes everything that arrives from now on leave this much later, in each direction.
func (r *Relay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Narrow limits each connection's directions to so many bytes a second; 0 takes the limit away.
func (r *Relay) Narrow(bytesPerSecond int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = bytesPerSecond
}

// Cut resets every present connection; later ones work.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.pairs {
		p.reset()
	}
}

// Close resets every connection and ends the relay. It may be called twice.
func (r *Relay) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.done)
	}
	for p := range r.pairs {
		p.reset()
	}
	r.mu.Unlock()
	r.listener.Close()
	r.wg.Wait()
}

func (r *Relay) accept() {
	for {
		nc, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.connect(nc.(*net.TCPConn)) })
	}
}

// connect joins one client to the target; while everything is frozen it does not even dial.
func (r *Relay) connect(client *net.TCPConn) {
	p := &pair{relay: r, client: client, gone: make(chan struct{})}
	if !r.add(p) {
		client.Close()
		return
	}
	defer r.remove(p)
	if !p.awaitThaw() {
		return
	}
	nc, err := net.Dial("tcp", r.target)
	if err != nil {
		p.abort()
		return
	}
	target := nc.(*net.TCPConn)
	defer target.Close()
	if !p.join(target) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.carry(target, client) })
	both.Go(func() { p.carry(client, target) })
	both.Wait()
}

func (r *Relay) add(p *pair) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.accepted++
	r.pairs[p] = struct{}{}
	return true
}

func (r *Relay) remove(p *pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.client.Close()
	delete(r.pairs, p)
}
