package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"

	"sshmaster/master"
)

// Reload reads the configuration of every master again. One for which it says
// something else by now listens no more and ends with its last session; another
// one takes its path, unless that is a different one: then ensure makes it when
// somebody comes. It returns what it did, in a line for a person.
func (d *Daemon) Reload(ctx context.Context) string {
	d.resolver.forget()
	d.mu.Lock()
	posts := make([]*post, 0, len(d.posts))
	for _, p := range d.posts {
		posts = append(posts, p)
	}
	d.mu.Unlock()
	count := make(map[outcome]int)
	for _, p := range posts {
		count[d.renew(ctx, p)]++
	}
	return sentence(count)
}

// An outcome is what became of a master.
type outcome int

const (
	absent outcome = iota
	unchanged
	renewed
	retired
	failed
)

var outcomes = []struct {
	outcome
	words string
}{{unchanged, "unchanged"}, {renewed, "made anew"}, {retired, "not wanted any more"}, {failed, "as before, for the configuration has a fault"}}

func sentence(count map[outcome]int) string {
	var parts []string
	for _, o := range outcomes {
		if n := count[o.outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o.words))
		}
	}
	if len(parts) == 0 {
		return "no masters"
	}
	return "masters: " + strings.Join(parts, ", ")
}

// renew reads the configuration of one master again.
func (d *Daemon) renew(ctx context.Context, p *post) outcome {
	p.work.Lock()
	defer p.work.Unlock()
	p.mu.Lock()
	m, former, call := p.master, p.host, p.call
	p.mu.Unlock()
	if m == nil {
		return absent
	}
	if _, err := os.Stat(call.Dir); err != nil {
		call.Dir = "/" // it is gone by now; few configurations care
	}
	host, err := d.resolver.resolve(ctx, call)
	if err != nil {
		d.log.Warn("reload: a master stays as it is", "host", former.OriginalHost, "error", err)
		return failed
	}
	if former.Same(host) {
		return unchanged
	}
	return d.exchange(ctx, p, m, host, call)
}

func (d *Daemon) exchange(ctx context.Context, p *post, m *master.Master, host *master.Host, call Call) outcome {
	m.Drain()
	if attachable(host) != nil || inFolder(call.Dir, host.ControlPath) != p.path {
		return retired
	}
	if _, err := d.occupy(ctx, p, host, call, false); err != nil {
		d.log.Warn("reload: no new master", "host", host.OriginalHost, "error", err)
		return retired
	}
	return renewed
}
