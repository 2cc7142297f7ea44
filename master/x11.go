package master

import (
	"context"

	"sshmaster/master/internal/forward/x11"
	"sshmaster/master/internal/session"
)

// newDisplay is the forwarding of the master's display, should it have one, or nil
// where ForwardX11 is off.
func (m *Master) newDisplay() *x11.Forwarding {
	if !m.host.ForwardX11 {
		return nil
	}
	return x11.New(x11.Config{
		Display: m.getenv("DISPLAY"),
		Trusted: m.host.ForwardX11Trusted, Timeout: m.host.ForwardX11Timeout,
		XAuth: m.host.XAuthLocation,
		Env:   m.environ(), Dir: m.folder(),
		AddressFamily: m.host.AddressFamily,
		Log:           m.log,
	})
}

// prepareX11 is what a session asks the host for when its slave wants X11. It
// is nil where none is forwarded, or can be.
func (m *Master) prepareX11(ctx context.Context) (*session.X11, error) {
	if m.display == nil || m.getenv("DISPLAY") == "" || m.byStock.Load() {
		return nil, nil
	}
	req, err := m.display.Prepare(ctx)
	if err != nil {
		return nil, err
	}
	return (*session.X11)(&req), nil
}
