package sshtest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Link is a client's plain connection to a server, for tests of what runs on top of a link: it has the methods by which
// those packages ask for channels and global requests, and nothing of a real link's care for itself.
type Link struct {
	conn     ssh.Conn
	incoming map[string]func(ssh.NewChannel)
	requests chan *ssh.Request
	done     chan struct{}
	err      error // set before done is closed

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // grows only while closed is false
}

// Link dials the server and logs in, for as long as the test runs. Channels that the server opens go to the function for
// their type, on a goroutine of their own; others are refused.
func (s *Server) Link(t testing.TB, incoming map[string]func(ssh.NewChannel)) *Link {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return s.LinkOn(t, nc, incoming)
}

// LinkOn logs in over nc, such as one end of a Pipe or a connection through a Relay, and owns it.
func (s *Server) LinkOn(t testing.TB, nc net.Conn, incoming map[string]func(ssh.NewChannel)) *Link {
	t.Helper()
	conn, chans, reqs, err := ssh.NewClientConn(nc, s.Addr(), s.ClientConfig())
	if err != nil {
		nc.Close()
		t.Fatal(fmt.Errorf("sshtest: log in: %w", err))
	}
	l := &Link{conn: conn, incoming: incoming, requests: make(chan *ssh.Request, 64), done: make(chan struct{})}
	l.wg.Go(func() { l.serveChannels(chans) })
	l.wg.Go(func() { l.serveRequests(reqs) })
	t.Cleanup(func() { l.Close() })
	return l
}

func (l *Link) serveChannels(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		serve := l.incoming[ch.ChannelType()]
		if serve == nil {
			ch.Reject(ssh.UnknownChannelType, "unknown channel type")
			continue
		}
		l.track(func() { serve(ch) })
	}
	l.err = l.conn.Wait()
	close(l.done)
}

// serveRequests refuses the server's global requests and keeps the first 64 for Requests.
func (l *Link) serveRequests(reqs <-chan *ssh.Request) {
	for r := range reqs {
		select {
		case l.requests <- r:
		default:
		}
		if r.WantReply {
			r.Reply(false, nil)
		}
	}
	close(l.requests)
}

// Requests gives the global requests that the server sent; they have been refused already. It is closed with the link.
func (l *Link) Requests() <-chan *ssh.Request { return l.requests }

// OpenChannel opens a channel. When ctx ends first, the channel is closed should it open after all.
func (l *Link) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type result struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	opened := make(chan result)
	l.track(func() {
		ch, reqs, err := l.conn.OpenChannel(name, extra)
		select {
		case opened <- result{ch, reqs, err}:
		case <-l.done:
		case <-ctx.Done():
			if err == nil {
				ch.Close()
				ssh.DiscardRequests(reqs)
			}
		}
	})
	select {
	case r := <-opened:
		return r.ch, r.reqs, r.err
	case <-l.done:
		return nil, nil, net.ErrClosed
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// SendRequest sends a global request and, with wantReply, waits for the answer or the end of ctx.
func (l *Link) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	type result struct {
		ok    bool
		reply []byte
		err   error
	}
	answered := make(chan result, 1)
	l.track(func() {
		ok, reply, err := l.conn.SendRequest(name, wantReply, payload)
		answered <- result{ok, reply, err}
	})
	select {
	case r := <-answered:
		return r.ok, r.reply, r.err
	case <-l.done:
		return false, nil, net.ErrClosed
	case <-ctx.Done():
		return false, nil, ctx.Err()
	}
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns why the link ended; call it after Done.
func (l *Link) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// ServerVersion returns the identification that the server sent.
func (l *Link) ServerVersion() []byte { return l.conn.ServerVersion() }

// Close ends the link and waits for all that ran on it, the functions for incoming channels included. It may be called
// twice.
func (l *Link) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	err := l.conn.Close()
	l.wg.Wait()
	return err
}

// track runs f as a part of the link; after Close it does nothing, and done is closed or about to be.
func (l *Link) track(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.wg.Go(f)
	}
}
