package daemon

import (
	"context"

	"sshmaster/master"
)

// A jump host's link belongs to a master as well, if the configuration has a place
// for one: it is listed, its own ControlPersist decides how long it stays, and
// whoever comes to the host itself finds it. One code a day for everything behind a
// bastion is one link that outlives those over it.

// jumped is called when a link to a jump host has no master yet.
func (d *Daemon) jumped(q master.Query, done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		done()
		return
	}
	d.asking.Go(func() {
		defer done()
		if err := d.adopt(d.over, Call{Args: q.Args, Destination: q.Destination, Dir: q.Dir, Env: q.Env}); err != nil {
			d.log.Debug("a jump host has no master", "host", q.Destination, "error", err)
		}
	})
}

// adopt has the master of that host own the link that is there.
func (d *Daemon) adopt(ctx context.Context, call Call) error {
	e, err := d.ensure(ctx, call, Wish{})
	if err != nil || e.Foreign {
		return err
	}
	if m := d.at(e.Control).holder(); m != nil {
		return m.Adopt(ctx)
	}
	return nil
}
