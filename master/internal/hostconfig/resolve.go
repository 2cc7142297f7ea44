package hostconfig

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// A Query asks for one host in one person's surroundings.
type Query struct {
	// SSH is the ssh program: a path, or a name for PATH. Empty is "ssh".
	SSH string

	// Args are ssh's options as typed, own keywords in -o included, without
	// the destination and without a command. -E and -y are left out, so that
	// ssh's messages reach the caller; -f implies -N, as a master is.
	Args []string

	// Destination is [user@]host or ssh://[user@]host[:port].
	Destination string

	// Dir is the folder that relative names are seen from; empty is the
	// process's own.
	Dir string

	// Env is the environment as NAME=value, the last of a name counts. ssh
	// finds the user's own configuration by the password database; HOME is
	// where OwnFile is looked for. nil is the process's own.
	Env []string

	// OwnFile is the file of ssh-master's own options: empty is
	// ~/.ssh/master_config, "none" reads none. It need not exist.
	OwnFile string

	// Baselines may be shared among queries; nil asks ssh each time (8 ms).
	Baselines *Baselines

	// Log gets what is of no interest to a person, at debug; nil drops it.
	Log *slog.Logger
}

// Resolve returns what the user's configuration says of q's destination. It
// runs `ssh -G` (twice where an option needs %C) and whatever Match exec the
// configuration holds, as ssh would; ctx bounds that.
//
// An [SSHError] holds ssh's own words. Every other error names the option, or
// the file and the line.
func Resolve(ctx context.Context, q Query) (*Host, error) {
	if q.Baselines == nil {
		q.Baselines = new(Baselines) // for the questions that follow from this one
	}
	x, err := q.surroundings()
	if err != nil {
		return nil, err
	}
	h := &Host{OriginalHost: x.dest.Host, env: NewEnvironment(x.env), asked: q, file: x.config()}
	h.asked.Env = nil
	if h.Own, err = x.own(); err != nil {
		return nil, err
	}
	fill := (*surroundings).standIn
	if ssh, err := x.env.findSSH(q.SSH, x.dir); err == nil {
		x.ssh, h.program = ssh, ssh
		fill = func(x *surroundings, h *Host) error { return x.ask(ctx, h) }
	}
	if err := fill(x, h); err != nil {
		return nil, err
	}
	x.findControlMaster(h, fill)
	if err := h.finish(x); err != nil {
		return nil, err
	}
	return h, nil
}

// surroundings are a query made ready: what the parts of a resolution read.
type surroundings struct {
	query Query
	args  []Option // without own keywords
	given []setting
	dest  Jump // the destination as typed
	dir   string
	env   environ
	me    account
	ssh   string // the program, for ProxyJump; "ssh" where none is installed
	log   *slog.Logger

	quoted bool // lists of files came apart already: no ssh joined them
}

// surroundings checks and completes q.
func (q Query) surroundings() (*surroundings, error) {
	x := &surroundings{query: q, dir: q.Dir, env: q.Env, ssh: "ssh", log: q.Log}
	if q.Env == nil {
		x.env = os.Environ()
	}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	x.me = x.env.account()
	args, err := Options(q.Args)
	if err != nil {
		return nil, err
	}
	x.args, x.given = takeOwn(args)
	if x.dest, err = parseTyped(q.Destination); err != nil {
		return nil, fmt.Errorf("hostconfig: %w", err)
	}
	return x, nil
}

// ask fills h from ssh.
func (x *surroundings) ask(ctx context.Context, h *Host) (err error) {
	c := sshCommand{path: x.ssh, dir: x.dir, env: x.env, log: x.log}
	args := Words(resolvable(x.args))
	if h.Raw, err = c.print(ctx, args, x.query.Destination); err != nil {
		return err
	}
	h.base = x.query.Baselines.of(ctx, c)
	h.Raw = sharing(h.Raw, h.base)
	if err := h.decode(x.log); err != nil {
		return err
	}
	h.dropFalseDynamic()
	if !h.needsHash() {
		return nil
	}
	again, err := c.print(ctx, append([]string{"-o", "ControlPath=%C"}, args...), x.query.Destination)
	if err != nil {
		return err
	}
	if hash := again["controlpath"]; len(hash) == 1 {
		h.tok = tokens{'C': hash[0]}
	}
	return nil
}

// parseTyped reads the destination of a command line, where a colon belongs to
// the host unless it is an address with a scheme.
func parseTyped(s string) (Jump, error) {
	if strings.HasPrefix(s, "ssh://") {
		return parseDestination(s)
	}
	j := Jump{Host: s}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		j.User, j.Host = s[:at], s[at+1:]
	}
	if j.Host == "" {
		return Jump{}, fmt.Errorf("destination %s has no host", printable(s))
	}
	return j, j.check()
}

// abs returns name as seen from the caller's folder.
func (x *surroundings) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(x.dir, name)
}

// exists says whether there is a file of that name, ~ expanded.
func (x *surroundings) exists(name string) bool {
	name, err := expandTilde(name, x.me.home)
	if err != nil {
		return false
	}
	_, err = os.Stat(x.abs(name))
	return err == nil
}
