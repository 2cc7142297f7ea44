package control

import (
	"context"
	"errors"
	"os"
	"time"

	"sshmaster/muxproto"
)

// hangupDelay is how long a request is worked on before anybody looks whether its
// slave is still there. Most are done by then, and are spared the look. That a timer
// of so long was stopped makes no sleep of the master dearer; see upstream's holdTime.
const hangupDelay = 50 * time.Millisecond

// whileConnected returns a context that ends when the slave at the other end
// of conn leaves, for the time that its request is being worked on and nobody
// reads from it. Nothing is read meanwhile, so requests that were sent ahead
// stay where they are. Stop must be called before conn is read again.
func whileConnected(parent context.Context, conn *muxproto.Conn) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	over := make(chan struct{})
	watch := time.AfterFunc(hangupDelay, func() {
		defer close(over)
		if err := waitHangup(conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(errSlaveLeft)
		}
	})
	return ctx, func() {
		if !watch.Stop() {
			conn.SetReadDeadline(time.Unix(1, 0)) // the past: wakes the watch
			<-over
			conn.SetReadDeadline(time.Time{})
		}
		cancel(nil)
	}
}

// waitHangup returns nil once the other end of conn is closed, or closed for
// writing, which OpenSSH's master treats alike.
func waitHangup(conn *muxproto.Conn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return hungUp(int(fd)) })
}
