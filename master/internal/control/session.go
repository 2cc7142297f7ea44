package control

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/stdio"
	"sshmaster/muxproto"
)

// streamLocal in a port field says that the host field is a path.
const streamLocal = muxproto.PortStreamLocal

// newSession answers NEW_SESSION (PROTOCOL.mux section 2) and starts the
// session.
func (s *slave) newSession(ctx context.Context, m *muxproto.NewSession) error {
	fds, err := s.receive(m.RequestID, 3)
	if err != nil {
		return err
	}
	if s.current() != nil {
		closeAll(fds)
		return s.fail(m.RequestID, "Multiple sessions not supported")
	}
	if s.srv.cfg.Confirm != nil && !s.allowed(ctx, fmt.Sprintf("Allow shared connection to %s? ", s.srv.cfg.Host)) {
		closeAll(fds)
		return s.deny(m.RequestID)
	}
	files, err := stdio.OpenSet(fds[0], fds[1], fds[2])
	if err != nil {
		return s.refuse(m.RequestID, err)
	}
	s.comeFor(Errand{Kind: Passenger, Command: m.Command, Subsystem: m.Subsystem && m.Command != "", TTY: m.WantTTY})
	req := s.sessionRequest(ctx, m)
	ctx, connected := whileConnected(ctx, s.conn)
	w := s.wish(files)
	w.TTY, w.Bulk = m.WantTTY, movesMuch(m)
	ses, err := session.Open(ctx, s.srv.cfg.Opener(w), req, files)
	connected()
	if err != nil {
		return s.refuse(m.RequestID, err)
	}
	return s.board(m.RequestID, ses, func(id uint32, over func()) { ses.Start(&reporter{s, id}, over) })
}

// sessionRequest is what the slave asked for, less what this master's
// configuration does not allow, plus what it adds.
func (s *slave) sessionRequest(ctx context.Context, m *muxproto.NewSession) session.Request {
	cfg := &s.srv.cfg
	req := session.Request{
		Command: m.Command, Subsystem: m.Subsystem,
		TTY: m.WantTTY, Term: m.Term, Escape: m.EscapeChar,
		Env:   append(permittedEnv(m.Env, cfg.SendEnv), cfg.SetEnv...),
		Agent: m.WantAgent && cfg.Agent,
		Info:  cfg.Info,
		Log:   s.log,

		KillRemote: cfg.KillRemote,
	}
	if m.WantX11 {
		x, err := cfg.X11(ctx)
		if err != nil {
			s.log.Warn("no X11 forwarding", "error", err)
		}
		req.X11 = x
	}
	return req
}

// newStdioForward answers NEW_STDIO_FWD (PROTOCOL.mux section 5) and starts
// the stream. Such a slave never gets an exit message.
func (s *slave) newStdioForward(ctx context.Context, m *muxproto.NewStdioForward) error {
	target := session.Target{Host: m.Host, Port: m.Port}
	if m.Port == streamLocal {
		target = session.Target{Path: m.Host}
	}
	fds, err := s.receive(m.RequestID, 2)
	if err != nil {
		return err
	}
	if s.current() != nil {
		closeAll(fds)
		return s.fail(m.RequestID, "Multiple sessions not supported")
	}
	if !s.allowed(ctx, stdioQuestion(target)) {
		closeAll(fds)
		return s.deny(m.RequestID)
	}
	files, err := stdio.OpenSet(fds[0], fds[1], -1)
	if err != nil {
		return s.refuse(m.RequestID, err)
	}
	s.comeFor(Errand{Kind: Stream, Command: target.String()})
	ctx, connected := whileConnected(ctx, s.conn)
	fwd, err := session.OpenStdioForward(ctx, s.srv.cfg.Opener(s.wish(files)), target, files)
	connected()
	if err != nil {
		return s.refuse(m.RequestID, err)
	}
	return s.board(m.RequestID, fwd, func(_ uint32, over func()) { fwd.Start(over) })
}

func stdioQuestion(t session.Target) string {
	if t.Path != "" {
		return fmt.Sprintf("Allow forward to path %s? ", t.Path)
	}
	return fmt.Sprintf("Allow forward to [%s]:%d? ", t.Host, t.Port)
}

// receive takes the descriptors that follow a request, within the time that a
// slave has for it. The caller owns them; after an error none is open. Stock
// masters wait without a limit here, and serve nobody else meanwhile.
func (s *slave) receive(id uint32, n int) ([]int, error) {
	s.conn.SetReadDeadline(time.Now().Add(s.srv.cfg.SlaveTimeout))
	defer s.conn.SetReadDeadline(time.Time{})
	fds := make([]int, 0, n)
	for range n {
		fd, err := s.conn.ReceiveFD()
		if err != nil {
			closeAll(fds)
			s.fail(id, "did not receive file descriptors")
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// refuse answers a request whose channel could not be opened, and ends the
// connection as OpenSSH does.
func (s *slave) refuse(id uint32, err error) error {
	s.log.Info("session refused", "error", err)
	if errors.Is(err, errSlaveLeft) {
		return err
	}
	reason := "Session open refused by peer"
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		reason = err.Error()
	}
	s.fail(id, reason)
	return errDone
}

// reporter tells a slave how its session goes.
type reporter struct {
	slave *slave
	id    uint32
}

// Exited sends EXIT_MESSAGE.
func (r *reporter) Exited(status uint32) {
	r.slave.reply(&muxproto.ExitMessage{SessionID: r.id, Status: status})
}

// TTYRefused sends TTY_ALLOC_FAIL.
func (r *reporter) TTYRefused() {
	r.slave.reply(&muxproto.TTYAllocFail{SessionID: r.id})
}
