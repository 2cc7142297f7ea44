package identity

import (
	"context"
	"errors"
	"net"
)

// errLost is why the context of [Watch] ends.
var errLost = errors.New("identity: the connection ended")

// Watch returns a connection that reads from nc, and a context that ends when a
// read of it fails or it is closed: the way to learn that the host has hung up
// while a person is being asked. The library goes on with the next method after
// an error of the connection, so without it the next question would be asked
// for nobody.
//
// Closing the connection returned closes nc and releases the context.
func Watch(ctx context.Context, nc net.Conn) (context.Context, net.Conn) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watched{Conn: nc, ended: cancel}
}

type watched struct {
	net.Conn
	ended context.CancelCauseFunc
}

// Read reads from the connection; its first error ends the context.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.ended(errLost)
	}
	return n, err
}

// Close closes the connection and ends the context.
func (w *watched) Close() error {
	w.ended(errLost)
	return w.Conn.Close()
}

// isLost says whether ctx ended because its connection did.
func isLost(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errLost) }
