package upstream

import (
	"golang.org/x/crypto/ssh"
)

// maxServing bounds the incoming channels that are handled at a time; ssh(1)
// has as many channels in all.
const maxServing = 10000

// serve takes what the server asks for, so that nothing queues up inside the
// library, until the library lets go of the connection. Then the link has
// ended.
func (l *Link) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	for chans != nil || reqs != nil {
		select {
		case nc, ok := <-chans:
			if !ok {
				chans = nil
				continue
			}
			l.serveChannel(nc)
		case req, ok := <-reqs:
			if !ok {
				reqs = nil
				continue
			}
			l.serveRequest(req)
		}
	}
	err := l.conn.Wait()
	if fault := l.wire.fault(); fault != nil && !isDisconnect(err) {
		err = fault
	}
	l.end(l.lost(err))
	close(l.gone)
}

// serveChannel hands an incoming channel to the handler of its type. A type
// that nobody handles is refused with the reason and the words of ssh(1), which
// does not tell unknown types from forbidden ones.
func (l *Link) serveChannel(nc ssh.NewChannel) {
	handle := (*l.handlers.Load())[nc.ChannelType()]
	switch {
	case handle == nil:
		l.log.Debug("refused a channel", "type", clean(nc.ChannelType()))
		_ = nc.Reject(ssh.Prohibited, "open failed")
	case l.serving.Add(1) > maxServing:
		l.serving.Add(-1)
		l.log.Warn("refused a channel: too many at once", "type", nc.ChannelType(), "limit", maxServing)
		_ = nc.Reject(ssh.ResourceShortage, "open failed")
	default:
		go func() {
			defer l.serving.Add(-1)
			handle(nc)
		}()
	}
}

// serveRequest answers a global request of the server's. None is granted, as in
// ssh(1): to a keepalive any answer is a sign of life. The server's host keys
// are passed on once; it announces them once.
func (l *Link) serveRequest(req *ssh.Request) {
	if req.Type == "hostkeys-00@openssh.com" && l.hostKeys != nil && l.announced.CompareAndSwap(false, true) {
		go l.hostKeys(l, req.Payload)
	}
	_ = req.Reply(false, nil)
}
