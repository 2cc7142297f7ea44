package proxy

import (
	"context"
	"errors"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// openFailed is what OpenSSH says when it refuses a channel.
const openFailed = "open failed"

// asked takes the slave's CHANNEL_OPEN. The host is asked meanwhile, so that an
// open that takes its time holds up nothing else.
func (s *slave) asked(ctx context.Context, m *packet) error {
	if m.max == 0 {
		return fault("a channel for packets of 0 bytes")
	}
	c := &channel{peer: m.sender, peerWindow: m.window, peerMax: min(m.max, maxPacket)}
	if !s.add(c) {
		s.refuse(m.sender, ssh.ResourceShortage, openFailed)
		return nil
	}
	name, extra := string(m.name), append([]byte(nil), m.data...)
	s.held.Add(int64(len(name) + len(extra)))
	s.running.Go(func() {
		defer s.held.Add(-int64(len(name) + len(extra)))
		c.ask(ctx, name, extra)
	})
	return nil
}

// ask asks the host for the channel that the slave wants.
func (c *channel) ask(ctx context.Context, name string, extra []byte) {
	ch, reqs, err := c.slave.cfg.Opener.OpenChannel(ctx, name, extra)
	if err == nil {
		c.slave.log.Debug("proxy: channel opened", "type", strconv.Quote(name), "number", c.id)
		c.establish(ch, reqs)
		return
	}
	c.slave.log.Debug("proxy: channel refused", "type", strconv.Quote(name), "error", err)
	reason, text := ssh.ConnectionFailed, err.Error()
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		reason, text = refused.Reason, refused.Message
	}
	c.slave.remove(c)
	c.busy()
	c.slave.refuse(c.peer, reason, text)
}

// refuse answers a CHANNEL_OPEN of the slave's.
func (s *slave) refuse(peer uint32, reason ssh.RejectionReason, text string) {
	s.out.post(packet{kind: msgOpenFailure, channel: peer, code: uint32(reason), name: []byte(text), data: []byte("en")})
}

// offer offers the slave a channel that the host opens for one of its forwards.
// It does not wait for the slave's answer.
func (s *slave) offer(nc ssh.NewChannel) {
	c := &channel{offered: nc}
	if !s.add(c) {
		nc.Reject(ssh.ResourceShortage, openFailed)
		return
	}
	s.out.post(packet{
		kind: msgChannelOpen, name: []byte(nc.ChannelType()), sender: c.id,
		window: c.size, max: maxPacket, data: nc.ExtraData(),
	})
}

// confirmed takes the slave's CHANNEL_OPEN_CONFIRMATION. The slave may use the
// channel at once.
func (c *channel) confirmed(m *packet) error {
	if m.max == 0 {
		return fault("a channel for packets of 0 bytes")
	}
	c.mu.Lock()
	c.open = true
	c.peer, c.peerWindow, c.peerMax = m.sender, m.window, min(m.max, maxPacket)
	c.mu.Unlock()
	go c.accept()
	return nil
}

// accept tells the host that it has its channel.
func (c *channel) accept() {
	ch, reqs, err := c.offered.Accept()
	if err != nil {
		c.up.finish()
		c.busy()
		c.hostClosed()
		return
	}
	c.establish(ch, reqs)
}

// refuse gives up a channel that the host offered.
func (c *channel) refuse(reason ssh.RejectionReason, text string) {
	c.slave.remove(c)
	go func() { // may wait for the link, and the reader must not
		c.offered.Reject(reason, text)
		c.busy()
	}()
}

// rejection is the slave's reason for refusing a channel, if it is one of RFC
// 4254 section 5.1.
func rejection(code uint32) ssh.RejectionReason {
	if code >= uint32(ssh.Prohibited) && code <= uint32(ssh.ResourceShortage) {
		return ssh.RejectionReason(code)
	}
	return ssh.Prohibited
}
