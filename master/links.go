package master

import (
	"fmt"

	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/prompt"
	"sshmaster/muxproto"
)

// newPool is the set of the master's links. What a login asks, it asks those who
// wait for it, and only then whoever started the master.
func (m *Master) newPool() *pool.Pool {
	own, home := m.host.Own, m.home
	if m.opts.OnDemand {
		home = m.arrive
	}
	return pool.New(pool.Config{
		Dial: m.dial, Host: m.host.HostName,
		Max: own.MaxLinks, Warm: own.WarmSessions, Hold: own.HoldTimeout,
		Asks: prompt.NewCrowd(prompt.CrowdOptions{
			Last:      m.opts.Prompter,
			Elsewhere: fmt.Sprintf("%s wants an answer, which is awaited on another terminal", m.host.OriginalHost),
			Log:       m.log,
		}),
		Wanted: m.remotesWanted,
		Home:   home,
		Log:    m.log,
	})
}

// remotesWanted says whether the host is to listen for us: then a link is needed
// though no slave waits for one.
func (m *Master) remotesWanted() bool { return !m.resting.Load() && m.forwards.Remotes().Wanted() }

// home has the host listen for us on the link that is for that from now on. On
// the first one [Master.Start] sees to it, where that has connected.
func (m *Master) home(former pool.Link) {
	m.set.network.follow(m)
	if m.homes.Add(1) == 1 {
		m.openLate()
		return
	}
	if former != nil {
		m.forwards.Remotes().Withdraw(m.ctx, former)
	}
	if err := m.forwards.Remotes().Renew(m.ctx); err != nil {
		m.log.Debug("remote forwards", "error", err)
	}
}

// arrive is home for a master OnDemand, which may have gone to rest again meanwhile,
// and does not as long as forwards are being opened.
func (m *Master) arrive(former pool.Link) {
	end := m.idle.begin()
	defer end()
	if !m.pool.Homely() {
		return
	}
	if m.homes.Load() > 0 {
		end() // what the host refuses may be asked for again for ever
	}
	m.home(former)
}

// openLate opens what the configuration wants forwarded and [Master.Start] has left
// for the first link.
func (m *Master) openLate() {
	var err error
	switch {
	case m.opts.OnDemand:
		err = m.openForwards(m.ctx, func(muxproto.Forward) bool { return true })
	case m.host.Own.LazyConnect:
		err = m.openForwards(m.ctx, remote)
	}
	if err != nil {
		m.log.Warn(err.Error())
	}
}
