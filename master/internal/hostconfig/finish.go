package hostconfig

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// finish does what ssh does after -G: names who we are, expands what -G leaves,
// and finds out what was a default.
func (h *Host) finish(x *surroundings) error {
	if h.OriginalHost == "" {
		h.OriginalHost = x.dest.Host
	}
	h.Home = x.me.home
	h.HostKeyAlias = strings.ToLower(h.HostKeyAlias)
	h.addTokens(x)
	h.IdentityFileDefault = h.base != nil && slices.Equal(h.Raw["identityfile"], h.base["identityfile"])
	if base := h.base["hostkeyalgorithms"]; base != nil {
		h.HostKeyAlgorithmsSet = !derived(h.HostKeyAlgorithms, parseList(base, "comma"))
	}
	h.named = agents{h.IdentityAgent, h.ForwardAgent, h.SecurityKeyProvider}
	h.resolveAgents()
	h.splitFiles(x)
	if err := h.expandFiles(x); err != nil {
		return err
	}
	if err := h.expandProxy(x); err != nil {
		return err
	}
	return h.checkCommands()
}

// addTokens fills the tokens that most options know.
func (h *Host) addTokens(x *surroundings) {
	long, _ := os.Hostname()
	short, _, _ := strings.Cut(long, ".")
	alias, jump := h.HostKeyAlias, ""
	if alias == "" {
		alias = h.OriginalHost
	}
	if n := len(h.ProxyJump); n > 0 {
		jump = h.ProxyJump[n-1].Host // ssh's %j is the last hop's name alone
	}
	h.tok = h.tok.with(tokens{
		'd': x.me.home, 'h': h.HostName, 'i': x.me.uid, 'j': jump, 'k': alias,
		'L': short, 'l': long, 'n': h.OriginalHost, 'p': strconv.Itoa(h.Port),
		'r': h.User, 'u': x.me.name,
	})
}

// needsHash says whether an option that ssh left unexpanded holds %C.
func (h *Host) needsHash() bool {
	left := slices.Concat(h.IdentityFile, h.CertificateFile, h.RevokedHostKeys,
		[]string{h.LocalCommand, h.KnownHostsCommand})
	return slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, "%C") })
}

// derived says whether list is base, or what + and - make of it. A list that
// the user wrote out in base's order looks the same; to choose among its
// members by what is known of the host does no harm.
func derived(list, base []string) bool {
	if len(list) >= len(base) && slices.Equal(list[:len(base)], base) {
		return true
	}
	for _, name := range list {
		i := slices.Index(base, name)
		if i < 0 {
			return false
		}
		base = base[i+1:]
	}
	return true
}

// splitFiles takes the lists of files apart that ssh joined.
func (h *Host) splitFiles(x *surroundings) {
	for _, list := range []*[]string{&h.UserKnownHostsFile, &h.GlobalKnownHostsFile, &h.RevokedHostKeys} {
		switch {
		case len(*list) == 1 && strings.EqualFold((*list)[0], "none"):
			*list = nil
		case len(*list) == 1 && !x.quoted:
			*list = joinedFiles((*list)[0], x.exists)
		}
	}
}

// expandFiles expands the file names that -G leaves as they were written.
func (h *Host) expandFiles(x *surroundings) error {
	full := func(s string) (string, error) {
		s, err := expandTilde(s, x.me.home)
		if err != nil {
			return "", err
		}
		return expand(s, h.tok, x.env.lookup)
	}
	for _, list := range []struct {
		keyword string
		files   []string
		expand  func(string) (string, error)
	}{
		{"IdentityFile", h.IdentityFile, full},
		{"CertificateFile", h.CertificateFile, full},
		{"GlobalKnownHostsFile", h.GlobalKnownHostsFile, func(s string) (string, error) { return expandTilde(s, x.me.home) }},
		{"RevokedHostKeys", h.RevokedHostKeys, func(s string) (string, error) {
			if x.exists(s) { // 9.5 and later have expanded it
				return expandTilde(s, x.me.home)
			}
			return full(s)
		}},
	} {
		for i, name := range list.files {
			name, err := list.expand(name)
			if err != nil {
				return fmt.Errorf("hostconfig: %s %s %w", list.keyword, printable(list.files[i]), err)
			}
			list.files[i] = name
		}
	}
	return nil
}
