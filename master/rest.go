package master

import (
	"context"
	"slices"

	"sshmaster/master/internal/upstream/pool"
	"sshmaster/muxproto"
)

// rest closes the links of a master that stays, OnDemand, when nothing has kept it
// busy for ControlPersist's time. All that is forwarded ends with them, as it ends
// with a stock master at that time. It says whether it has to be tried again.
// Nobody comes meanwhile: the lock of idle is held, which it must not take.
func (m *Master) rest() (again bool) {
	m.resting.Store(true) // the end of a link is no reason to dial for what is about to go
	defer m.resting.Store(false)
	if !m.pool.Rest() {
		return true
	}
	m.homes.Store(0)
	m.set.network.leave(m)
	for _, l := range m.forwards.Listeners() {
		_ = m.forwards.Cancel(m.ctx, l.Forward)
	}
	return false
}

// askedFor are the forwards that somebody asked for beyond the configuration.
func (m *Master) askedFor() []muxproto.Forward {
	var all []muxproto.Forward
	for _, l := range m.forwards.Listeners() {
		if !m.configured(l.Forward) {
			all = append(all, l.Forward)
		}
	}
	return all
}

// configured says whether the configuration itself asks for f. Ssh asks for those
// once more for each of its sessions.
func (m *Master) configured(f muxproto.Forward) bool {
	return slices.ContainsFunc(Forwards(m.host), func(own muxproto.Forward) bool { return same(own, f) })
}

// same says whether two forwards are the same one: local and dynamic ones are in
// one list.
func same(a, b muxproto.Forward) bool {
	if local(a) && local(b) {
		a.Type = b.Type
	}
	return a == b
}

// Idle says whether nothing would be lost with the master: there is no slave, no
// link and no forward that anybody asked for. It can be thrown away and made anew
// without anybody noticing, with [Master.Drain] for who comes meanwhile.
func (m *Master) Idle() bool {
	return m.idle.none() && m.pool.Empty() && len(m.askedFor()) == 0
}

// Adopt makes a link to the master's host its own that others of its set have made
// to jump over it, and does nothing where there is none.
func (m *Master) Adopt(ctx context.Context) error {
	if m.byStock.Load() || !m.set.links.Has(ctx, m.linkOptions()) {
		return nil
	}
	return m.pool.Reach(ctx, pool.Want{})
}

// Drain stops listening, as ssh -O stop does: the path is free when it returns, and
// Serve returns when the last session has ended.
func (m *Master) Drain() {
	if m.listener == nil {
		m.end(nil)
		return
	}
	m.stopListening()
}

// Restore puts the control socket back at once if somebody has deleted it, and says
// whether the master listens. It is put back a moment later in any case.
func (m *Master) Restore() bool { return m.listener != nil && m.listener.Restore() }
