package daemon

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sshmaster/master"
	"sshmaster/master/internal/hostconfig"
)

const (
	// fresh is how long an answer of ssh -G is good for those who ask the same, if
	// the files that were looked at have not changed. Files that they include
	// are not known, which is why it is short.
	fresh = 5 * time.Second

	// resolveTime bounds one resolution, and the wait for it: a Match exec may hang,
	// and no ssh waits longer for an answer.
	resolveTime = 4500 * time.Millisecond

	// atOnce is how many resolutions run at a time. They wait for Match exec, more
	// than they work.
	atOnce = 64
)

// A resolver finds out what the configuration says of a call. Those who ask the
// same at the same time, or soon after, have one ssh -G between them.
type resolver struct {
	log       *slog.Logger
	baselines hostconfig.Baselines
	running   chan struct{} // a token for each ssh -G

	mu      sync.Mutex
	answers map[string]*answer // by Call.key
}

// An answer is what came of one resolution.
type answer struct {
	done   chan struct{} // closed when host and err stand
	host   *master.Host
	err    error
	began  time.Time
	stamps map[string]stamp
}

func newResolver(log *slog.Logger) *resolver {
	return &resolver{log: log, running: make(chan struct{}, atOnce), answers: make(map[string]*answer)}
}

// resolve returns the host of a call, which nobody changes. The work goes on when
// ctx ends: others may wait for it.
func (r *resolver) resolve(ctx context.Context, call Call) (*master.Host, error) {
	a := r.find(call)
	select {
	case <-a.done:
		return a.host, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// find returns an answer that is good, or on its way.
func (r *resolver) find(call Call) *answer {
	key, now := call.key(), stamps(call)
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.answers[key]; a.good(now) {
		return a
	}
	maps.DeleteFunc(r.answers, func(_ string, a *answer) bool { return !a.good(a.stamps) })
	a := &answer{done: make(chan struct{}), began: time.Now(), stamps: now}
	r.answers[key] = a
	go r.run(a, call)
	return a
}

// forget makes the next who asks find out anew.
func (r *resolver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.answers)
}

func (r *resolver) run(a *answer, call Call) {
	defer close(a.done)
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	select {
	case r.running <- struct{}{}:
	case <-ctx.Done():
		a.err = errors.New("too many ask what the configuration says")
		return
	}
	defer func() { <-r.running }()
	a.host, a.err = hostconfig.Resolve(ctx, hostconfig.Query{
		Args: call.Args, Destination: call.Destination, Dir: call.Dir, Env: call.Env,
		Baselines: &r.baselines, Log: r.log,
	})
}

// good says whether the answer serves somebody who asks now. A nil one never
// does, and a failure only those who have waited for it.
func (a *answer) good(now map[string]stamp) bool {
	if a == nil || !maps.Equal(a.stamps, now) {
		return false
	}
	select {
	case <-a.done:
		return a.err == nil && time.Since(a.began) < fresh
	default:
		return true
	}
}

// A stamp tells one state of a file from the next.
type stamp struct {
	changed time.Time
	size    int64
}

// stamps are those of the files that a resolution always reads.
func stamps(call Call) map[string]stamp {
	files := []string{"/etc/ssh/ssh_config"}
	if home, err := home(call.Env); err == nil {
		files = append(files, filepath.Join(home, ".ssh", "config"), filepath.Join(home, ".ssh", "master_config"))
	}
	options, _ := hostconfig.Options(call.Args)
	for _, o := range options {
		if o.Letter == 'F' {
			files = append(files, inFolder(call.Dir, o.Value))
		}
	}
	all := make(map[string]stamp, len(files))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			all[file] = stamp{info.ModTime(), info.Size()}
		}
	}
	return all
}

// inFolder is the full path of a name that somebody used in dir.
func inFolder(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
