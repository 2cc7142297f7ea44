package proxy

import (
	"context"
	"encoding/binary"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/muxproto"
)

const (
	// maxGlobals is how many global requests of a slave may wait for their turn.
	maxGlobals = 1000

	// cancelTime bounds how long the forwards of a slave that has left may take
	// to be cancelled.
	cancelTime = 10 * time.Second

	maxPort = 65535
)

// A globalRequest is a global request of the slave's (RFC 4254 section 4).
type globalRequest struct {
	name    string
	want    bool
	payload []byte
}

func (g *globalRequest) size() int { return 128 + len(g.name) + len(g.payload) }

// A place is where the host listens for the slave, as in [Remotes].
type place struct {
	host string
	port uint32
}

// requested takes a global request of the slave's. It is answered in its turn,
// while the reader goes on.
func (s *slave) requested(ctx context.Context, m *packet) error {
	g := globalRequest{name: string(m.name), want: m.want, payload: append([]byte(nil), m.data...)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.globals) == maxGlobals {
		return fault("more than %d global requests at a time", maxGlobals)
	}
	s.held.Add(int64(g.size()))
	s.globals = append(s.globals, g)
	if !s.answering {
		s.answering = true
		s.running.Go(func() { s.answerGlobals(ctx) })
	}
	return nil
}

// answerGlobals answers what is queued, one after the other: answers have no
// number, only their order.
func (s *slave) answerGlobals(ctx context.Context) {
	for {
		s.mu.Lock()
		if len(s.globals) == 0 || ctx.Err() != nil {
			s.globals, s.answering = nil, false
			s.mu.Unlock()
			return
		}
		g := s.globals[0]
		s.globals = s.globals[1:]
		s.mu.Unlock()
		s.answerGlobal(ctx, &g)
		s.held.Add(-int64(g.size()))
	}
}

// answerGlobal carries out one request and answers it.
func (s *slave) answerGlobal(ctx context.Context, g *globalRequest) {
	switch g.name {
	case "tcpip-forward", "streamlocal-forward@openssh.com":
		s.listen(ctx, g)
	case "cancel-tcpip-forward", "cancel-streamlocal-forward@openssh.com":
		at, ok := g.place()
		s.answer(g, ok && s.cancel(ctx, at), nil)
	default:
		s.log.Debug("proxy: global request refused", "name", strconv.Quote(g.name))
		s.answer(g, false, nil)
	}
}

// filler follows an answer that would be too short otherwise: OpenSSH's ssh takes
// packets of less than 5 bytes for a broken stream, and looks at what follows
// only where it asked for a port.
var filler = make([]byte, 4)

func (s *slave) answer(g *globalRequest, ok bool, payload []byte) {
	if !g.want {
		return
	}
	if payload == nil {
		payload = filler
	}
	kind := byte(msgRequestFailure)
	if ok {
		kind = msgRequestSuccess
	}
	s.out.post(packet{kind: kind, data: payload})
}

// place is the place that a request to listen, or to stop listening, names.
func (g *globalRequest) place() (place, bool) {
	switch g.name {
	case "tcpip-forward", "cancel-tcpip-forward":
		var m struct {
			Host string
			Port uint32
		}
		err := ssh.Unmarshal(g.payload, &m)
		return place{m.Host, m.Port}, err == nil && m.Port <= maxPort
	default:
		var m struct{ Path string }
		err := ssh.Unmarshal(g.payload, &m)
		return place{m.Path, muxproto.PortStreamLocal}, err == nil && m.Path != ""
	}
}

// listen has the host listen for the slave. Connections that come before the
// slave knows wait until it does.
func (s *slave) listen(ctx context.Context, g *globalRequest) {
	at, ok := g.place()
	if !ok || s.cfg.Remotes == nil {
		s.answer(g, false, nil)
		return
	}
	told := make(chan struct{})
	defer close(told)
	port, err := s.cfg.Remotes.Listen(ctx, at.host, at.port, func(nc ssh.NewChannel) {
		go func() {
			<-told
			s.offer(nc)
		}()
	})
	if err != nil {
		s.log.Info("proxy: remote forward refused", "host", strconv.Quote(at.host), "port", at.port, "error", err)
		s.answer(g, false, nil)
		return
	}
	var chosen []byte
	if at.port == 0 {
		chosen = binary.BigEndian.AppendUint32(nil, port)
		at.port = port
	}
	s.listening[at] = struct{}{}
	s.answer(g, true, chosen)
}

// cancel ends one of the slave's own forwards.
func (s *slave) cancel(ctx context.Context, at place) bool {
	if _, own := s.listening[at]; !own {
		return false
	}
	delete(s.listening, at)
	err := s.cfg.Remotes.Cancel(ctx, at.host, at.port)
	if err != nil {
		s.log.Debug("proxy: remote forward not cancelled", "host", strconv.Quote(at.host), "port", at.port, "error", err)
	}
	return err == nil
}

// cancelAll ends all forwards of a slave that has left. Nobody else uses them any
// more.
func (s *slave) cancelAll(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer stop()
	for at := range s.listening {
		s.cancel(ctx, at)
	}
}
