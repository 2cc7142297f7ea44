package control

import (
	"context"
	"fmt"

	"sshmaster/muxproto"
)

// openForward answers OPEN_FWD (PROTOCOL.mux section 4) once connections are
// accepted.
func (s *slave) openForward(ctx context.Context, m *muxproto.OpenForward) error {
	if err := validForward(m.Forward); err != nil {
		return err
	}
	cfg := &s.srv.cfg
	if !cfg.Forwards.Exists(m.Forward) && !s.allowed(ctx, forwardQuestion(cfg.Host, m.Forward)) {
		return s.deny(m.RequestID)
	}
	ctx, connected := whileConnected(ctx, s.conn)
	port, err := cfg.Forwards.Open(ctx, s.wish(nil), m.Forward)
	connected()
	switch {
	case err != nil:
		s.log.Info("forward refused", "forward", describeForward(m.Forward), "error", err)
		return s.fail(m.RequestID, err.Error())
	case port != 0:
		return s.reply(&muxproto.RemotePort{RequestID: m.RequestID, Port: port})
	default:
		return s.reply(&muxproto.OK{RequestID: m.RequestID})
	}
}

// closeForward answers CLOSE_FWD.
func (s *slave) closeForward(ctx context.Context, m *muxproto.CloseForward) error {
	if err := validForward(m.Forward); err != nil {
		return err
	}
	if err := s.srv.cfg.Forwards.Cancel(ctx, m.Forward); err != nil {
		return s.fail(m.RequestID, err.Error())
	}
	return s.reply(&muxproto.OK{RequestID: m.RequestID})
}

// validForward drops a slave whose ports are none.
func validForward(f muxproto.Forward) error {
	for _, port := range []uint32{f.ListenPort, f.ConnectPort} {
		if port > 65535 && port != streamLocal {
			return fmt.Errorf("%w: port %d", errDrop, port)
		}
	}
	return nil
}

// forwardQuestion is what the user is asked under ControlMaster ask.
func forwardQuestion(host string, f muxproto.Forward) string {
	return fmt.Sprintf("Open %s on %s?", describeForward(f), host)
}

// describeForward names a forward as a person would write it.
func describeForward(f muxproto.Forward) string {
	listen := fmt.Sprintf("%s:%d", f.ListenHost, f.ListenPort)
	switch {
	case f.ListenPort == streamLocal:
		listen = f.ListenHost
	case f.ListenHost == "":
		listen = fmt.Sprintf("LOCALHOST:%d", f.ListenPort)
	}
	connect := fmt.Sprintf("%s:%d", f.ConnectHost, f.ConnectPort)
	if f.ConnectPort == streamLocal {
		connect = f.ConnectHost
	}
	switch f.Type {
	case muxproto.ForwardLocal:
		return fmt.Sprintf("local forward %s -> %s", listen, connect)
	case muxproto.ForwardDynamic:
		return fmt.Sprintf("dynamic forward %s -> *", listen)
	case muxproto.ForwardRemote:
		return fmt.Sprintf("remote forward %s -> %s", listen, connect)
	default:
		return fmt.Sprintf("forward of unknown type %d", f.Type)
	}
}
