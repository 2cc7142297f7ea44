package control

import (
	"context"

	"sshmaster/muxproto"
)

// dispatch carries out one request. An error ends the slave's connection.
func (s *slave) dispatch(ctx context.Context, m muxproto.Message) error {
	switch m := m.(type) {
	case *muxproto.AliveCheck:
		return s.alive(m)
	case *muxproto.Terminate:
		return s.terminate(ctx, m)
	case *muxproto.StopListening:
		return s.stopListening(ctx, m)
	case *muxproto.NewSession:
		return s.newSession(ctx, m)
	case *muxproto.NewStdioForward:
		return s.newStdioForward(ctx, m)
	case *muxproto.OpenForward:
		return s.openForward(ctx, m)
	case *muxproto.CloseForward:
		return s.closeForward(ctx, m)
	case *muxproto.Proxy:
		return s.proxy(ctx, m)
	case *muxproto.InfoRequest:
		return s.info(ctx, m)
	default: // a second HELLO
		return errDrop
	}
}

// allowed asks the user where the configuration says so. A slave that leaves
// meanwhile takes its question and its descriptors along.
func (s *slave) allowed(ctx context.Context, question string) bool {
	if s.srv.cfg.Confirm == nil {
		return true
	}
	ctx, connected := whileConnected(ctx, s.conn)
	defer connected()
	return s.srv.cfg.Confirm(ctx, question)
}
