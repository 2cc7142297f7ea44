package hostconfig

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sshmaster/master/internal/pattern"
)

// complete fills in what nobody set, and does what ssh does to values before
// it prints them.
func (r *reader) complete(defaults map[string][]string) error {
	name, err := expandPercent(r.first("hostname", r.dest.Host), tokens{'h': r.dest.Host})
	if err != nil {
		return fmt.Errorf("hostconfig: HostName %w", err)
	}
	if on := r.first("canonicalizehostname", "no"); on != "no" {
		r.warn("CanonicalizeHostname %s needs ssh: %s is used as it stands", on, name)
	}
	if r.raw["tag"] != nil {
		r.warn("Tag needs ssh: Match tagged is left out")
	}
	r.raw["host"] = []string{r.dest.Host}
	r.raw["hostname"] = []string{strings.ToLower(name)}
	if r.raw["user"] == nil {
		r.raw["user"] = []string{r.me.name}
	}
	if r.raw["updatehostkeys"] == nil && r.raw["userknownhostsfile"] != nil {
		r.raw["updatehostkeys"] = []string{"no"} // a file of the user's own is not learned into
	}
	r.dropNone()
	for key, values := range defaults {
		if r.raw[key] == nil {
			r.raw[key] = values
		} else if hostFields[key].list == "comma" {
			r.raw[key] = []string{assemble(r.raw[key][0], values[0])}
		}
	}
	for _, key := range []string{"userknownhostsfile", "globalknownhostsfile"} {
		if len(r.raw[key]) == 1 && r.raw[key][0] == defaults[key][0] {
			r.raw[key] = strings.Fields(defaults[key][0])
		}
	}
	if on, _ := parseBool(r.first("clearallforwardings", "no")); on {
		for _, key := range []string{"localforward", "remoteforward", "dynamicforward"} {
			delete(r.raw, key)
		}
	}
	return nil
}

// first returns a keyword's first value, or otherwise.
func (r *reader) first(key, otherwise string) string {
	if v := r.raw[key]; v != nil {
		return v[0]
	}
	return otherwise
}

// dropNone removes the keywords for which "none" means that ssh prints nothing.
func (r *reader) dropNone() {
	for _, key := range []string{
		"controlpath", "hostkeyalias", "knownhostscommand", "localcommand", "pkcs11provider",
		"proxycommand", "proxyjump", "remotecommand", "tag", "versionaddendum", "xauthlocation",
	} {
		if strings.EqualFold(r.first(key, ""), "none") {
			delete(r.raw, key)
		}
	}
	for _, key := range []string{"userknownhostsfile", "globalknownhostsfile", "revokedhostkeys"} {
		if strings.EqualFold(r.first(key, ""), "none") {
			r.raw[key] = []string{}
		}
	}
}

// assemble applies a list of algorithms to the defaults: + appends, - removes
// by pattern, ^ puts in front, anything else replaces.
func assemble(list, defaults string) string {
	if list == "" {
		return defaults
	}
	words, base := strings.Split(list[1:], ","), strings.Split(defaults, ",")
	switch list[0] {
	case '+':
		return strings.Join(append(base, without(words, base)...), ",")
	case '^':
		return strings.Join(append(words, without(base, words)...), ",")
	case '-':
		var kept []string
		for _, name := range base {
			if !pattern.Any(words, name) {
				kept = append(kept, name)
			}
		}
		return strings.Join(kept, ",")
	}
	return list
}

// without returns the members of list that are not in gone.
func without(list, gone []string) []string {
	var kept []string
	for _, name := range list {
		if !slices.Contains(gone, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// expandLikeSSH expands the options that -G prints expanded.
func (h *Host) expandLikeSSH(x *surroundings) error {
	h.addTokens(x)
	if err := h.expandUser(x); err != nil {
		return err
	}
	h.addTokens(x)
	sum := sha1.Sum([]byte(h.tok['l'] + h.tok['h'] + h.tok['p'] + h.tok['r'] + h.tok['j']))
	h.tok['C'] = hex.EncodeToString(sum[:])
	for _, o := range []struct {
		keyword string
		value   *string
		path    bool
	}{
		{"ControlPath", &h.ControlPath, true},
		{"IdentityAgent", &h.IdentityAgent, true},
		{"ForwardAgent", &h.ForwardAgent.Path, true},
		{"RemoteCommand", &h.RemoteCommand, false},
		{"VersionAddendum", &h.VersionAddendum, false},
	} {
		if err := h.expandInPlace(x, o.keyword, o.value, o.path); err != nil {
			return err
		}
	}
	for i := range h.UserKnownHostsFile {
		if err := h.expandInPlace(x, "UserKnownHostsFile", &h.UserKnownHostsFile[i], true); err != nil {
			return err
		}
	}
	return nil
}

// expandUser expands a User that was not typed.
func (h *Host) expandUser(x *surroundings) error {
	if x.dest.User != "" || h.User == lastValue(x.args, 'l') {
		return checkUserName(h.User)
	}
	t := h.tok.only("dhijkLlnpu")
	user, err := expand(h.User, t, x.env.lookup)
	if err == nil && user != h.User {
		err = checkUserName(user)
	}
	if err != nil {
		return fmt.Errorf("hostconfig: User %s %w", printable(h.User), err)
	}
	h.User = user
	return nil
}

// expandInPlace expands tokens in *value; ~ and variables too when it is a
// path.
func (h *Host) expandInPlace(x *surroundings, keyword string, value *string, path bool) (err error) {
	s, lookup := *value, x.env.lookup
	if path {
		if s, err = expandTilde(s, x.me.home); err != nil {
			return fmt.Errorf("hostconfig: %s %s %w", keyword, printable(*value), err)
		}
	} else if keyword == "RemoteCommand" {
		lookup = nil // its ${} are the remote shell's
	}
	if s, err = expand(s, h.tok, lookup); err != nil {
		return fmt.Errorf("hostconfig: %s %s %w", keyword, printable(*value), err)
	}
	*value = s
	return nil
}
