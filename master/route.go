package master

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/session"
	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/stocklink"
)

// route is how channels reach the host: on one of the master's links, for which
// the slave that wants it may have to wait.
type route struct {
	m    *Master
	wish control.Wish // the zero wish is nobody's in particular
}

// want is the wish as the links see it: who waits can be told why, and asked what
// a login asks.
func (r route) want() pool.Want {
	w := pool.Want{TTY: r.wish.TTY, Bulk: r.wish.Bulk}
	if r.wish.Files != nil || r.wish.PID != 0 {
		w.Guest = r.guest
	}
	return w
}

func (r route) guest() pool.Guest {
	return guest.New(guest.Config{
		Files: r.wish.Files, PID: r.wish.PID,
		Env: r.m.environ(), Host: r.m.host.OriginalHost, Log: r.m.log,
	})
}

// OpenChannel opens a channel of any type to the host.
func (r route) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	return r.m.pool.Stream(ctx, r.want(), name, extra)
}

// SendRequest sends a global request to the host.
func (r route) SendRequest(ctx context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return r.m.pool.SendRequest(ctx, name, wantReply, payload)
}

// passage is route for passenger sessions, which give their seats back
// themselves.
type passage struct{ route }

// OpenChannel opens a channel of any type to the host; one for a session is a
// [session.Berth].
func (p passage) OpenChannel(ctx context.Context, name string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	if name != "session" {
		return p.route.OpenChannel(ctx, name, extra)
	}
	c, err := p.m.pool.Session(ctx, p.want())
	if err != nil {
		return nil, nil, err
	}
	return berth{c}, c.Requests, nil
}

// opener is what a slave's channels are opened by.
func (m *Master) opener(w control.Wish) session.Opener { return passage{route{m, w}} }

// A berth tells a session of the link that carries it.
type berth struct{ *pool.Channel }

// EOW says whether the host's software is known to understand OpenSSH's own
// channel requests.
func (b berth) EOW() bool {
	return strings.HasPrefix(b.Link().Info().ServerVersion, "SSH-2.0-OpenSSH")
}

// Trusted says whether the host showed a key that was known.
func (b berth) Trusted() bool { return !b.Link().Unsafe() }

// X11 says whether the host's X11 channels come to us: stock ssh keeps them to
// itself.
func (b berth) X11() bool {
	_, stock := b.Link().(*stocklink.Link)
	return !stock
}

// mourning is how long a channel that ended without a word waits for the news
// that its link has ended.
const mourning = 50 * time.Millisecond

// Lost is why the link has ended, unless we ended it.
func (b berth) Lost() error {
	select {
	case <-b.Link().Done():
	case <-time.After(mourning):
		return nil
	}
	if err := b.Link().Err(); !errors.Is(err, upstream.ErrClosed) {
		return err
	}
	return nil
}
