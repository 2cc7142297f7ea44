package control

import (
	"context"
	"fmt"
	"strings"

	"sshmaster/master/internal/session"
	"sshmaster/muxproto"
)

// alive answers ALIVE_CHECK. Slaves send SIGWINCH to the process they are told
// of here.
func (s *slave) alive(m *muxproto.AliveCheck) error {
	return s.reply(&muxproto.Alive{RequestID: m.RequestID, PID: uint32(s.srv.cfg.PID)})
}

// terminate answers TERMINATE before the master begins to end.
func (s *slave) terminate(ctx context.Context, m *muxproto.Terminate) error {
	if !s.allowed(ctx, fmt.Sprintf("Terminate shared connection to %s? ", s.srv.cfg.Host)) {
		return s.deny(m.RequestID)
	}
	err := s.reply(&muxproto.OK{RequestID: m.RequestID})
	s.srv.cfg.Terminate()
	return err
}

// stopListening answers STOP_LISTENING once the path is free, because whoever
// asked for it may be about to use it.
func (s *slave) stopListening(ctx context.Context, m *muxproto.StopListening) error {
	if !s.allowed(ctx, fmt.Sprintf("Disable further multiplexing on shared connection to %s? ", s.srv.cfg.Host)) {
		return s.deny(m.RequestID)
	}
	s.srv.cfg.StopListening()
	return s.reply(&muxproto.OK{RequestID: m.RequestID})
}

// maxInfo is the longest text, in bytes, that one answer has room for.
const maxInfo = muxproto.MaxFrame - 1<<10

// info answers EXT_INFO, an extension of OpenSSH 10.3. A text that is too long,
// of thousands of channels, loses its last lines.
func (s *slave) info(ctx context.Context, m *muxproto.InfoRequest) error {
	text, ok := s.told(ctx, m.Name)
	if !ok {
		text = "info request type not supported"
	}
	if len(text) > maxInfo {
		text = text[:strings.LastIndexByte(text[:maxInfo], '\n')+1] + "...\r\n"
	}
	return s.reply(&muxproto.InfoReply{RequestID: m.RequestID, OK: ok, Text: text})
}

// ours ends the names of requests that only ssh-master knows (RFC 4250 section
// 4.6.1).
const ours = "@ssh-master"

func (s *slave) told(ctx context.Context, name string) (text string, ok bool) {
	cfg := &s.srv.cfg
	if cfg.Command == nil || !strings.HasSuffix(name, ours) {
		return cfg.Info(name)
	}
	ctx, connected := whileConnected(ctx, s.conn)
	defer connected()
	return cfg.Command(ctx, strings.TrimSuffix(name, ours))
}

// proxy turns the connection over to PROXY mode until the slave leaves.
func (s *slave) proxy(ctx context.Context, m *muxproto.Proxy) error {
	if s.srv.cfg.Proxy == nil {
		return s.fail(m.RequestID, "unsupported request")
	}
	if !s.allowed(ctx, "Allow multiplex proxy connection?") {
		return s.deny(m.RequestID)
	}
	if err := s.reply(&muxproto.ProxyReply{RequestID: m.RequestID}); err != nil {
		return err
	}
	w := s.wish(nil)
	w.Traffic = new(session.Traffic)
	s.comeFor(Errand{Kind: Proxied})
	s.mu.Lock()
	s.proxied = w.Traffic
	s.mu.Unlock()
	if err := s.srv.cfg.Proxy(ctx, w, s.conn); err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	return errDone
}
