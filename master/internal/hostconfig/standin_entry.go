package hostconfig

import (
	"errors"
	"fmt"
	"strings"

	"sshmaster/master/internal/pattern"
)

// wholeLine are the keywords whose value is the rest of the line, quotes and #
// included.
var wholeLine = map[string]bool{
	"proxycommand": true, "localcommand": true, "remotecommand": true, "knownhostscommand": true,
}

// readEntry takes one keyword of a file.
func (r *reader) readEntry(e entry) error {
	key := canonical(e.key)
	_, known := hostFields[key]
	if own := ownFields[key].name; own != "" {
		return fmt.Errorf("hostconfig: %s: %s is an option of ssh-master, not of ssh: it belongs into ~/.ssh/master_config", e.where(), own)
	}
	if !known || key == "host" {
		if !pattern.Any(r.unknown, key) {
			r.warn("%s: %s is not known and is left out", e.where(), e.key)
		}
		return nil
	}
	words := []string{e.value}
	if !wholeLine[key] {
		var err error
		if words, err = splitWords(e.value, true); err != nil {
			return fmt.Errorf("hostconfig: %s: %s %w", e.where(), e.key, err)
		}
	}
	if err := r.add(key, words); err != nil {
		return fmt.Errorf("hostconfig: %s: %s %s %w", e.where(), e.key, printable(e.value), err)
	}
	return nil
}

// add gives a keyword its values as `ssh -G` would print them. The first to
// give one counts, but for the keywords that gather.
func (r *reader) add(key string, words []string) error {
	if len(words) == 0 || words[0] == "" {
		return errors.New("has no value")
	}
	switch key {
	case "identityfile", "certificatefile", "sendenv":
		r.raw[key] = append(r.raw[key], words...)
		return nil
	case "localforward", "remoteforward", "dynamicforward":
		line, err := printedForward(key, words)
		if err == nil {
			r.raw[key] = append(r.raw[key], line)
		}
		return err
	}
	if _, set := r.raw[key]; set {
		return nil
	}
	// Of these two, whichever comes first rules the other out.
	if key == "proxyjump" && r.raw["proxycommand"] != nil || key == "proxycommand" && r.first("proxyjump", "none") != "none" {
		return nil
	}
	switch f := hostFields[key]; {
	case key == "setenv" || f.list == "files":
		r.raw[key] = words
	case key == "ignoreunknown":
		r.unknown = strings.Split(strings.ToLower(words[0]), ",")
		r.raw[key] = words[:1]
	case key == "tunnel" && words[0] == "yes":
		r.raw[key] = []string{"point-to-point"}
	default:
		r.raw[key] = []string{strings.Join(words, " ")}
	}
	return nil
}

// printedForward returns a forward of a file or of -L, -R, -D as ssh -G prints
// it.
func printedForward(key string, words []string) (string, error) {
	if len(words) == 1 && key != "dynamicforward" {
		listen, connect, err := splitColons(words[0])
		if err != nil {
			return "", err
		}
		if words = []string{listen}; connect != "" {
			words = append(words, connect)
		}
	}
	if len(words) > 2 || key == "dynamicforward" && len(words) > 1 || key == "localforward" && len(words) < 2 {
		return "", errors.New("is no listening end and target")
	}
	for i, end := range words {
		words[i] = printedEnd(end)
	}
	if key == "remoteforward" && len(words) == 1 {
		words = append(words, "[socks]:0")
	}
	return strings.Join(words, " "), nil
}

// printedEnd returns one end as ssh prints it: host:port gets brackets; a port,
// and what holds a slash and so is a path, stays.
func printedEnd(end string) string {
	at := strings.LastIndexByte(end, ':')
	if at < 0 || strings.HasPrefix(end, "[") || strings.Contains(end, "/") {
		return end
	}
	return "[" + end[:at] + "]:" + end[at+1:]
}

// splitColons splits -L's and -R's one-word form into its ends:
// [bind:]port:host:hostport with a path in place of either side.
func splitColons(s string) (listen, connect string, err error) {
	parts := colonParts(s)
	isPath := func(p string) bool { return strings.HasPrefix(p, "/") }
	join := strings.Join
	switch n := len(parts); {
	case n == 1:
		return s, "", nil
	case n == 2 && (isPath(parts[0]) || isPath(parts[1])):
		return parts[0], parts[1], nil
	case n == 2: // a remote SOCKS proxy with an address
		return s, "", nil
	case n == 3 && isPath(parts[2]):
		return join(parts[:2], ":"), parts[2], nil
	case n == 3:
		return parts[0], join(parts[1:], ":"), nil
	case n == 4:
		return join(parts[:2], ":"), join(parts[2:], ":"), nil
	}
	return "", "", errors.New("has too many colons: IPv6 addresses stand in brackets")
}

// colonParts splits at the colons outside of brackets.
func colonParts(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth == 0 {
				parts = append(parts, s[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, s[from:])
}
