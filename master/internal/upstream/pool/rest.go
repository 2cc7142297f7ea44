package pool

import "slices"

// Rest closes all links, unless somebody uses one or waits for one, and says
// whether it could. Nobody loses anything, and it is as if there had been no link
// yet: the next one who wants a channel has the host dialled.
func (p *Pool) Rest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.dialling || len(p.waiting) > 0 || slices.ContainsFunc(p.members, (*member).occupied) {
		return false
	}
	if len(p.members) > 0 {
		p.cfg.Log.Info("nobody needs the host: closing", "host", p.cfg.Host, "links", len(p.members))
	}
	for _, m := range p.members {
		if !m.leaving {
			p.dismiss(m)
		}
	}
	p.home, p.former = nil, nil
	p.known, p.hopeless, p.trouble = false, false, nil
	return true
}

// Homely says whether there is a link for global requests.
func (p *Pool) Homely() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.home != nil
}

// Empty says whether there is no link, and none on its way.
func (p *Pool) Empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members) == 0 && !p.dialling && len(p.waiting) == 0
}
