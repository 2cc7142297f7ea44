package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sshmaster/master"
	"sshmaster/master/internal/control"
)

// ErrNotRunning is why nothing can be asked of a daemon that is not there.
var ErrNotRunning = errors.New("no ssh-master runs as a daemon")

// A Client asks the daemon at a place. Each question is a connection of its own.
type Client struct{ Place Place }

// Ensured is what has become of the control socket of an ssh.
type Ensured struct {
	// Control is its path. PID is who listens there.
	Control string `json:"control"`
	PID     int    `json:"pid"`

	// Foreign says that it is a master of somebody else's making.
	Foreign bool `json:"foreign,omitempty"`
}

// A Wish says how far [Client.Ensure] goes.
type Wish struct {
	// Replace asks another master on the path to leave it.
	Replace bool

	// NotMade does not make a master where there is none. Then Ensured.PID is 0.
	NotMade bool
}

// Ensure sees to it that a master listens on the control socket of that ssh.
func (c Client) Ensure(ctx context.Context, call Call, w Wish) (Ensured, error) {
	r, err := c.ask(ctx, request{Do: doEnsure, Call: &call, Replace: w.Replace, NotMade: w.NotMade})
	if err != nil {
		return Ensured{}, err
	}
	if r.Ensured == nil {
		return Ensured{}, errors.New("the daemon gave an answer that is none")
	}
	return *r.Ensured, nil
}

// List describes all masters of the daemon, in the order of their hosts' names.
func (c Client) List(ctx context.Context) ([]master.Status, error) {
	r, err := c.ask(ctx, request{Do: doList})
	return r.Masters, err
}

// Reload has the daemon read the configuration again, and says what came of it.
func (c Client) Reload(ctx context.Context) (text string, err error) {
	r, err := c.ask(ctx, request{Do: doReload})
	return r.Text, err
}

// Check returns the daemon's process and how many masters it has.
func (c Client) Check(ctx context.Context) (pid, masters int, err error) {
	r, err := c.ask(ctx, request{Do: doCheck})
	return r.PID, r.Count, err
}

// End ends the daemon and its masters, at once or, if it is to drain, with the
// last session; no path is held any more when End returns.
func (c Client) End(ctx context.Context, drain bool) error {
	_, err := c.ask(ctx, request{Do: doEnd, Drain: drain})
	return err
}

func (c Client) ask(ctx context.Context, q request) (reply, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	var r reply
	if err = send(conn, q); err == nil {
		err = receive(conn, &r)
	}
	switch {
	case ctx.Err() != nil:
		return reply{}, fmt.Errorf("the daemon at %s does not answer: %w", c.Place.Socket, ctx.Err())
	case err != nil:
		return reply{}, fmt.Errorf("the daemon at %s: %w", c.Place.Socket, err)
	case r.Error != "":
		return reply{}, errors.New(r.Error)
	}
	return r, nil
}

// dial connects to the daemon. That there is none is [ErrNotRunning].
func (c Client) dial(ctx context.Context) (*net.UnixConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.Place.Socket)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("the daemon: %w", err)
	}
	daemon := conn.(*net.UnixConn)
	if err := control.SameUser(daemon); err != nil { // it would be told our environment
		conn.Close()
		return nil, fmt.Errorf("the daemon at %s is not ours: %w", c.Place.Socket, err)
	}
	return daemon, nil
}

// Start starts a daemon with begin where none runs, and returns when one does. Of
// all who want to start it one does, and the others wait. Begin returns when the
// daemon accepts connections.
func (c Client) Start(ctx context.Context, begin func(ctx context.Context) error) error {
	if c.running(ctx) {
		return nil
	}
	if err := c.Place.Prepare(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if c.running(ctx) {
		return nil
	}
	return begin(ctx)
}

// running says whether somebody listens; whether that one answers, the next
// question will tell.
func (c Client) running(ctx context.Context) bool {
	conn, err := c.dial(ctx)
	if err == nil {
		conn.Close()
	}
	return !errors.Is(err, ErrNotRunning)
}

// lockAgain is how often a lock that somebody else has is tried.
const lockAgain = 2 * time.Millisecond

// lock keeps others from starting a daemon, until unlock. A process that dies
// loses it.
func (c Client) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(c.Place.Lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot start the daemon: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", c.Place.Lock, err)
		}
		select {
		case <-time.After(lockAgain):
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("somebody else has been starting the daemon, without an end: %w", ctx.Err())
		}
	}
}
