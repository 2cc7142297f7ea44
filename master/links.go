package master

import (
	"context"
	"fmt"

	"sshmaster/master/internal/netchange"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/prompt"
)

// newPool is the set of the master's links. What a login asks, it asks those who
// wait for it, and only then whoever started the master.
func (m *Master) newPool() *pool.Pool {
	own := m.host.Own
	return pool.New(pool.Config{
		Dial: m.dial, Host: m.host.HostName,
		Max: own.MaxLinks, Warm: own.WarmSessions, Hold: own.HoldTimeout,
		Asks: prompt.NewCrowd(prompt.CrowdOptions{
			Last:      m.opts.Prompter,
			Elsewhere: fmt.Sprintf("%s wants an answer, which is awaited on another terminal", m.host.OriginalHost),
			Log:       m.log,
		}),
		Wanted: m.remotesWanted,
		Home:   m.home,
		Log:    m.log,
	})
}

// remotesWanted says whether the host is to listen for us: then a link is needed
// though no slave waits for one.
func (m *Master) remotesWanted() bool { return m.forwards.Remotes().Wanted() }

// home has the host listen for us on the link that is for that from now on. On
// the first one [Master.Start] sees to it, where that has connected.
func (m *Master) home(former pool.Link) {
	if m.homes.Add(1) == 1 {
		if m.host.Own.LazyConnect {
			_ = m.openForwards(m.ctx, remote)
		}
		return
	}
	if former != nil {
		m.forwards.Remotes().Withdraw(m.ctx, former)
	}
	if err := m.forwards.Remotes().Renew(m.ctx); err != nil {
		m.log.Debug("remote forwards", "error", err)
	}
}

// watchNetwork asks the links for a sign of life when something has happened that
// may have cut them off, until ctx ends.
func (m *Master) watchNetwork(ctx context.Context) {
	for event := range netchange.Watch(ctx, m.log) {
		m.log.Debug("are the connections alive?", "network changed", event.Network, "away", event.Away)
		m.pool.Check()
	}
}
