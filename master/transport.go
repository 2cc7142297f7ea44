package master

import (
	"context"
	"time"

	"sshmaster/master/internal/upstream"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/stocklink"
)

// transport says why stock ssh is to make the link; "" is one of our own. Where
// the user has not said so, it is told.
func (m *Master) transport(ctx context.Context) (why string, err error) {
	why, err = stocklink.Choose(ctx, m.hostNow(), upstream.Implements)
	if why != "" {
		m.tellTransport(why)
	}
	return why, err
}

func (m *Master) tellTransport(why string) {
	tell := m.log.Warn
	if m.host.Own.Transport == "openssh" {
		tell = m.log.Info
	}
	tell("using stock ssh for this link: " + why)
}

// judge refuses options that cannot be honoured and names those that are
// passed over.
func (m *Master) judge(byStock bool) error {
	check := m.host.Check
	if byStock {
		check = m.host.CheckByStock
	}
	warnings, err := check()
	for _, w := range append(m.host.Warnings, warnings...) {
		m.log.Warn(w)
	}
	return err
}

// reachAgain bounds one attempt to connect over TCP to a host that was reached
// before.
const reachAgain = 5 * time.Second

// choose finds out anew who makes the link: a master OnDemand may have been there for
// long, and the agent's keys are part of the choice.
func (m *Master) choose(ctx context.Context) error {
	if !m.opts.OnDemand || m.byStock.Load() {
		return nil
	}
	why, err := m.transport(ctx)
	m.byStock.Store(why != "")
	return err
}

// dial makes a link. A host with which stock ssh has an algorithm in common, and a
// link of our own none, is left to that, too: nobody was asked for anything yet.
func (m *Master) dial(ctx context.Context, c pool.Call) (pool.Link, error) {
	if err := m.choose(ctx); err != nil {
		return nil, err
	}
	if m.byStock.Load() {
		return m.dialByStock(ctx)
	}
	o := m.linkOptions()
	o.Prompter, o.Busy = c.Asks, m.jumps(c.Busy)
	if c.Again {
		o.ReachTimeout = reachAgain
	}
	l, err := m.set.links.Dial(ctx, o)
	if err == nil {
		return l, nil
	}
	if why := stocklink.Instead(m.host, err); why != "" {
		m.tellTransport(why)
		m.byStock.Store(true)
		return m.dialByStock(ctx)
	}
	return nil, err
}

// linkOptions say what link the master wants.
func (m *Master) linkOptions() upstream.Options {
	return upstream.Options{
		Host: m.hostNow(), Env: m.environ(), Dir: m.folder(), Log: m.log, Stderr: m.opts.Stderr,
		Version: m.opts.Version, Channels: m.incoming(),
	}
}

// jumps counts the jumps of others over a link as something that keeps it and the
// master alive.
func (m *Master) jumps(busy func() func()) func() (rest func()) {
	return func() func() {
		link, master := busy(), m.idle.begin()
		return func() {
			link()
			master()
		}
	}
}

func (m *Master) dialByStock(ctx context.Context) (pool.Link, error) {
	l, err := stocklink.Start(ctx, stocklink.Options{
		Host: m.hostNow(), Env: m.environ(), Dir: m.folder(),
		Log: m.log, Channels: m.incoming(),
	})
	if err != nil {
		return nil, err // not a nil *stocklink.Link
	}
	return l, nil
}
