package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"sshmaster/master"
)

var errEnding = errors.New("the daemon is ending")

// A post is one control path and the master that is to listen there.
type post struct {
	path string

	work sync.Mutex // held while somebody changes what is at the path

	mu     sync.Mutex
	master *master.Master // nil for none
	host   *master.Host   // as the master was made for it
	call   Call           // who asked last
}

func (p *post) holder() *master.Master {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.master
}

// asked notes who asked last: with that one's environment the master logs in from
// now on.
func (p *post) asked(call Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call.Env = keepSession(call.Env, p.call.Env)
	p.call = call
	if p.master != nil {
		p.master.SetEnv(call.Env)
	}
}

func (d *Daemon) ending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// at returns the post of a path. It is never forgotten: somebody may be at work on
// it.
func (d *Daemon) at(path string) *post {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.posts[path]
	if p == nil {
		p = &post{path: path}
		d.posts[path] = p
	}
	return p
}

// ensure sees to it that a master listens where the call's ssh will look for one.
func (d *Daemon) ensure(ctx context.Context, call Call, w Wish) (Ensured, error) {
	if d.ending() {
		return Ensured{}, errEnding
	}
	call, err := call.shared()
	if err != nil {
		return Ensured{}, err
	}
	host, err := d.resolver.resolve(ctx, call)
	if err != nil {
		return Ensured{}, err
	}
	if err := attachable(host); err != nil {
		return Ensured{}, err
	}
	p := d.at(inFolder(call.Dir, host.ControlPath))
	p.work.Lock()
	defer p.work.Unlock()
	if p.stands(host) {
		p.asked(call)
		return Ensured{Control: p.path, PID: d.cfg.PID}, nil
	}
	if w.NotMade {
		return Ensured{Control: p.path}, nil
	}
	return d.occupy(ctx, p, host, call, w.Replace)
}

// attachable says why no ssh would attach to a master of that host.
func attachable(host *master.Host) error {
	switch {
	case host.ControlPath == "":
		return fmt.Errorf("no ControlPath for %s: set one in ~/.ssh/config, such as ~/.ssh/cm/%%C", host.OriginalHost)
	case host.ControlMasterConfigured == "yes" || host.ControlMasterConfigured == "ask":
		return fmt.Errorf("ControlMaster is %s for %s, with which ssh never attaches: set it to no", host.ControlMasterConfigured, host.OriginalHost)
	}
	return nil
}

// stands says whether the post has a master that may stay. One that nobody would
// miss makes room when the configuration says something else by now; any other one
// stays until reload.
func (p *post) stands(host *master.Host) bool {
	m := p.holder()
	switch {
	case m == nil:
		return false
	case m.Restore() && (p.host.Same(host) || !m.Idle()):
		return true
	}
	m.Drain()
	return false
}

// occupy makes a master for the post, whose work is held.
func (d *Daemon) occupy(ctx context.Context, p *post, host *master.Host, call Call, replace bool) (Ensured, error) {
	if err := makeRoom(p.path); err != nil {
		return Ensured{}, err
	}
	m, err := d.begin(ctx, host, call, replace)
	var taken *master.InUseError
	switch {
	case errors.As(err, &taken) && taken.What == "" && !replace:
		return Ensured{Control: p.path, PID: int(taken.PID), Foreign: true}, nil
	case err != nil:
		return Ensured{}, err
	}
	if !d.install(p, m, host) {
		_ = m.Shutdown(context.Background())
		return Ensured{}, errEnding
	}
	p.asked(call)
	return Ensured{Control: p.path, PID: d.cfg.PID}, nil
}

// install gives the post a master that listens, unless the daemon is ending. The
// one before it has stopped listening.
func (d *Daemon) install(p *post, m *master.Master, host *master.Host) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.master != nil {
		d.leaving[p.master] = struct{}{}
	}
	p.master, p.host = m, host
	d.serving.Go(func() { d.serve(p, m) })
	return true
}

// serve waits for the end of a master, wherever that comes from.
func (d *Daemon) serve(p *post, m *master.Master) {
	d.log.Debug("master begins", "control", p.path)
	err := m.Serve(context.Background())
	d.log.Debug("master ended", "control", p.path, "reason", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.leaving, m)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.master == m {
		p.master, p.host, p.call = nil, nil, Call{}
	}
}

// begin makes a master that listens.
func (d *Daemon) begin(ctx context.Context, host *master.Host, call Call, replace bool) (*master.Master, error) {
	m, err := master.New(master.Options{
		Host: host, OnDemand: true, Replace: replace, Set: d.set,
		Log: d.log, Env: call.Env, Dir: call.Dir, Version: d.cfg.Version,
	})
	if err != nil {
		return nil, err
	}
	return m, m.Start(ctx)
}

// sessionVariables lead to what belongs to somebody's session at the machine: the
// agent, the display. Who has none of it, as a program of cron's, does not take it
// away from the sessions that others have running.
var sessionVariables = []string{"SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"}

// keepSession adds to env what it lacks of a session and former has, the agent's
// socket if that is still there.
func keepSession(env, former []string) []string {
	for _, name := range sessionVariables {
		value := lookup(former, name)
		if value == "" || lookup(env, name) != "" {
			continue
		}
		if _, err := os.Stat(value); name == "SSH_AUTH_SOCK" && err != nil {
			continue
		}
		env = append(slices.Clip(env), name+"="+value)
	}
	return env
}
