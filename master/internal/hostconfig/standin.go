package hostconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sshmaster/master/internal/pattern"
)

// maxInclude is how deep Include may nest, as in ssh.
const maxInclude = 16

// A reader stands in for `ssh -G` where there is no ssh: it reads the files
// and gathers in raw what ssh would print.
type reader struct {
	*surroundings
	raw      map[string][]string
	warnings []string
	unknown  []string // IgnoreUnknown's patterns
}

// standIn fills h without ssh.
func (x *surroundings) standIn(h *Host) error {
	x.quoted = true
	r := &reader{surroundings: x, raw: make(map[string][]string)}
	r.warn("no ssh program is installed: the configuration is read without it, and Match lines with anything but host and all are left out")
	if err := r.readArgs(); err != nil {
		return err
	}
	for _, file := range r.files() {
		err := r.readFile(file, r.sshDir(file), true, 0)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || hasArg(x.args, 'F')) {
			return err
		}
	}
	h.base = openSSHDefaults()
	if err := r.complete(h.base); err != nil {
		return err
	}
	h.Raw, h.Warnings = r.raw, r.warnings
	if err := h.decode(x.log); err != nil {
		return err
	}
	return h.expandLikeSSH(x)
}

// warn keeps a sentence for a person.
func (r *reader) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// files returns the configuration files in the order in which they count.
func (r *reader) files() []string {
	switch file := lastValue(r.args, 'F'); file {
	case "":
		return []string{filepath.Join(r.me.home, ".ssh", "config"), "/etc/ssh/ssh_config"}
	case "none":
		return nil
	default:
		return []string{r.abs(file)}
	}
}

// sshDir is the folder that a relative Include of file is seen from.
func (r *reader) sshDir(file string) string {
	if file == "/etc/ssh/ssh_config" {
		return "/etc/ssh"
	}
	return filepath.Join(r.me.home, ".ssh")
}

// readFile reads one file; active is false inside a block that does not match.
func (r *reader) readFile(path, dir string, active bool, depth int) error {
	blocks, err := readBlocks(path)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		matches := active && r.judge(b)
		for _, e := range b.entries {
			if strings.EqualFold(e.key, "include") {
				err = r.include(e, dir, matches, depth+1)
			} else if matches {
				err = r.readEntry(e)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// judge says whether the block applies to the host. What cannot be judged is
// named and does not apply.
func (r *reader) judge(b block) bool {
	switch {
	case b.keyword == "":
		return true
	case b.keyword == "host":
		return pattern.Any(b.args, r.dest.Host)
	case len(b.args) == 1 && strings.EqualFold(b.args[0], "all"):
		return true
	case len(b.args) == 2 && strings.EqualFold(b.args[0], "host"):
		return pattern.Any(strings.Split(b.args[1], ","), r.hostName())
	case len(b.args) == 1:
		if key, value, ok := strings.Cut(b.args[0], "="); ok && strings.EqualFold(key, "host") {
			return pattern.Any(strings.Split(value, ","), r.hostName())
		}
	}
	r.warn("%s: Match %s cannot be judged without ssh: its block is left out", b.where(), strings.Join(b.args, " "))
	return false
}

// hostName is the host's name as far as it is known: what Match host sees.
func (r *reader) hostName() string {
	name := r.dest.Host
	if set := r.raw["hostname"]; set != nil {
		if full, err := expandPercent(set[0], tokens{'h': name}); err == nil {
			name = full
		}
	}
	return strings.ToLower(name)
}

// include reads the files that an Include names. Files that are only read to
// no effect are left alone.
func (r *reader) include(e entry, dir string, active bool, depth int) error {
	if !active {
		return nil
	}
	if depth > maxInclude {
		return fmt.Errorf("hostconfig: %s: Include nests deeper than %d", e.where(), maxInclude)
	}
	patterns, err := splitWords(e.value, true)
	if err != nil {
		return fmt.Errorf("hostconfig: %s: Include %w", e.where(), err)
	}
	for _, pattern := range patterns {
		if strings.ContainsAny(pattern, "%$") {
			r.warn("%s: Include %s holds a token or variable, which cannot be expanded without ssh: it is left out", e.where(), pattern)
			continue
		}
		if pattern, err = expandTilde(pattern, r.me.home); err != nil {
			return fmt.Errorf("hostconfig: %s: Include %s %w", e.where(), printable(pattern), err)
		}
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("hostconfig: %s: Include %s: %w", e.where(), printable(pattern), err)
		}
		for _, file := range files {
			if err := r.readFile(file, dir, true, depth); err != nil {
				return err
			}
		}
	}
	return nil
}
