package pool

import (
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/crew"
)

// A Channel is an open channel and what there is to know of the link that
// carries it. Who has it reads both of its streams and its requests until they
// end, and then calls Closed.
type Channel struct {
	ssh.Channel
	Requests <-chan *ssh.Request

	pool *Pool
	m    *member
	want *Want
	once sync.Once
}

// Closed says that the host has closed the channel: that its requests have
// ended.
func (c *Channel) Closed() { c.once.Do(func() { c.pool.leave(c.m, c.want, true) }) }

// SendRequest sends a request of the channel's (RFC 4254 section 5.4).
func (c *Channel) SendRequest(name string, wantReply bool, payload []byte) (bool, error) {
	ok, err := c.Channel.SendRequest(name, wantReply, payload)
	if ok && startsProgram(name) {
		c.pool.started(c.m)
	}
	return ok, err
}

// startsProgram says whether a request is one of RFC 4254 section 6.5.
func startsProgram(name string) bool {
	return name == "exec" || name == "shell" || name == "subsystem"
}

// Link is the link that carries the channel.
func (c *Channel) Link() Link { return c.m.link }

// TerminalsGranted says whether the host is known to grant terminals on this
// link; GrantTerminals notes that it is.
func (c *Channel) TerminalsGranted() bool { return c.m.ptys.Load() }

// GrantTerminals notes that the host has granted one.
func (c *Channel) GrantTerminals() { c.m.ptys.Store(true) }

// Session opens a channel for a session. It waits until the host consents on some
// link, a refusal for want of room included, and no longer than Hold while
// nothing moves. An *[ssh.OpenChannelError] is the host's answer; the text of any
// other error is for a person.
func (p *Pool) Session(ctx context.Context, want Want) (*Channel, error) {
	want.kind, want.name = session, "session"
	o, err := p.newWaiter(&want).wait(ctx)
	if err != nil {
		return nil, err
	}
	c := &Channel{Channel: o.ch, Requests: o.reqs, pool: p, m: o.m, want: &want}
	if !want.TTY {
		c.Channel = o.m.metered(o.ch)
	}
	return c, nil
}

// await waits on a stack that is not the caller's: whoever wants a stream stays
// for as long as that, with a small one. Who wants a session is soon gone.
func (p *Pool) await(ctx context.Context, want *Want) (o outcome, err error) {
	done := make(chan struct{})
	crew.Go(func() {
		defer close(done)
		o, err = p.newWaiter(want).wait(ctx)
	})
	<-done
	return o, err
}

// OpenChannel opens a channel of any type, for nobody in particular. The seat of a
// session is given back with the end of its requests.
func (p *Pool) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return p.Stream(ctx, Want{}, name, extra)
}

// Stream is [Pool.OpenChannel] for somebody.
func (p *Pool) Stream(ctx context.Context, want Want, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	want.kind, want.name, want.extra = stream, name, extra
	if name == "session" {
		want.kind = session
	}
	o, err := p.await(ctx, &want)
	if err != nil {
		return nil, nil, err
	}
	if want.kind == session { // whose program nobody sees here
		p.started(o.m)
	}
	reqs := make(chan *ssh.Request)
	go func() {
		defer close(reqs)
		for req := range o.reqs {
			reqs <- req
		}
		p.leave(o.m, &want, true)
	}()
	return o.m.metered(o.ch), reqs, nil
}

// Reach waits for a link for global requests.
func (p *Pool) Reach(ctx context.Context, want Want) error {
	want.kind = home
	o, err := p.newWaiter(&want).wait(ctx)
	if err != nil {
		return err
	}
	p.leave(o.m, &want, false)
	return nil
}

// SendRequest sends a global request to the host on the home link. Where there is
// none it waits for one if it wants a reply, and fails otherwise.
func (p *Pool) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	if !wantReply {
		p.mu.Lock()
		m := p.home
		p.mu.Unlock()
		if m == nil {
			return false, nil, p.absent()
		}
		return m.link.SendRequest(ctx, name, false, payload)
	}
	want := Want{kind: home}
	o, err := p.newWaiter(&want).wait(ctx)
	if err != nil {
		return false, nil, err
	}
	defer p.leave(o.m, &want, false)
	return o.m.link.SendRequest(ctx, name, true, payload)
}

// metered is a channel whose bytes are counted.
type metered struct {
	ssh.Channel
	m      *member
	number int64 // not the channel itself, which a link would keep in memory
}

// Read counts what the host sent.
func (c metered) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	c.m.traffic.add(n)
	return n, err
}

// Write counts what was sent to the host.
func (c metered) Write(p []byte) (int, error) {
	c.m.link.Sends(c.number, len(p))
	n, err := c.Channel.Write(p)
	c.m.traffic.add(n)
	return n, err
}
