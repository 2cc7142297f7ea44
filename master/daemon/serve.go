package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"sshmaster/master/internal/control"
)

// converse answers one request.
func (d *Daemon) converse(conn *net.UnixConn) {
	defer conn.Close()
	if err := control.SameUser(conn); err != nil {
		d.log.Error(err.Error())
		return
	}
	var q request
	if err := conn.SetReadDeadline(time.Now().Add(speakTime)); err != nil {
		return
	}
	if err := receive(conn, &q); err != nil {
		d.log.Debug("daemon: no request", "error", err)
		return
	}
	ctx, done := whileOpen(d.over, conn)
	defer done()
	r, err := d.answer(ctx, q)
	if err != nil {
		d.log.Debug("daemon: refused", "request", q.Do, "error", err)
		r = reply{Error: err.Error()}
	}
	r.Version = d.cfg.Version
	if err := send(conn, r); err != nil {
		d.log.Debug("daemon: nobody hears the answer", "request", q.Do, "error", err)
	}
	if q.Do == doEnd && err == nil {
		d.end()
	}
}

var errLeft = errors.New("who asked has left")

// whileOpen returns a context that ends when the peer has left: it has said all
// that it will say.
func whileOpen(parent context.Context, conn *net.UnixConn) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(parent)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = conn.SetReadDeadline(time.Time{})
		_, _ = io.Copy(io.Discard, conn)
		cancel(errLeft)
	}()
	return ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		<-gone
	}
}

func (d *Daemon) answer(ctx context.Context, q request) (reply, error) {
	switch q.Do {
	case doEnsure:
		if q.Call == nil {
			return reply{}, errors.New("ensure: for which ssh?")
		}
		e, err := d.ensure(ctx, *q.Call, Wish{Replace: q.Replace, NotMade: q.NotMade})
		return reply{Ensured: &e}, err
	case doList:
		return reply{Masters: d.List()}, nil
	case doReload:
		return reply{Text: d.Reload(ctx)}, nil
	case doCheck:
		return reply{PID: d.cfg.PID, Count: len(d.masters())}, nil
	case doEnd:
		d.finish(q.Drain)
		return reply{}, nil
	}
	return reply{}, fmt.Errorf("this ssh-master (%s) knows no %q: it is older than who asks", d.cfg.Version, q.Do)
}
