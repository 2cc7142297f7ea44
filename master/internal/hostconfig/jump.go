package hostconfig

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// parseJumps reads ProxyJump: hops separated by commas, each [user@]host[:port]
// or an ssh:// address. "none" is no hop.
func parseJumps(s string) ([]Jump, error) {
	if strings.EqualFold(s, "none") {
		return nil, nil
	}
	var hops []Jump
	for _, word := range strings.Split(s, ",") {
		hop, err := parseDestination(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		hops = append(hops, hop)
	}
	return hops, nil
}

// parseDestination reads [user@]host[:port], where an IPv6 address with a port
// stands in brackets, or ssh://[user@]host[:port]. Names that a shell could
// misread are refused.
func parseDestination(s string) (Jump, error) {
	var j Jump
	rest, isURI := strings.CutPrefix(s, "ssh://")
	if isURI {
		rest = strings.TrimSuffix(rest, "/")
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		j.User, rest = rest[:at], rest[at+1:]
		if isURI {
			user, err := url.PathUnescape(j.User)
			if err != nil {
				return Jump{}, fmt.Errorf("destination %s has a bad %%-escape", printable(s))
			}
			j.User, _, _ = strings.Cut(user, ";")
		}
	}
	var err error
	if j.Host, j.Port, err = parseHostPort(rest); err != nil {
		return Jump{}, fmt.Errorf("destination %s %w", printable(s), err)
	}
	return j, j.check()
}

// parseHostPort reads host, host:port, [host]:port or a bare IPv6 address.
func parseHostPort(s string) (host string, port int, err error) {
	host = s
	var digits string
	if inner, after, ok := strings.Cut(s, "]"); ok && strings.HasPrefix(s, "[") {
		host = inner[1:]
		if after != "" && !strings.HasPrefix(after, ":") {
			return "", 0, errors.New("has something after its bracket that is no port")
		}
		digits = strings.TrimPrefix(after, ":")
	} else if strings.Count(s, ":") == 1 {
		host, digits, _ = strings.Cut(s, ":")
	}
	if host == "" {
		return "", 0, errors.New("has no host")
	}
	if digits == "" {
		return host, 0, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("has no port between 1 and 65535")
	}
	return host, int(n), nil
}

// check refuses names that a shell could misread.
func (j Jump) check() error {
	if err := checkHostName(j.Host); err != nil {
		return err
	}
	return checkUserName(j.User)
}

// String returns the hop in ProxyJump's notation.
func (j Jump) String() string {
	s := j.Host
	if strings.Contains(s, ":") {
		s = "[" + s + "]"
	}
	if j.Port != 0 {
		s += ":" + strconv.Itoa(j.Port)
	}
	if j.User != "" {
		s = j.User + "@" + s
	}
	return s
}

// jumpCommand returns the ProxyCommand that ssh runs for ProxyJump: the last
// hop's own ssh passes the stream on, the hops before it are its ProxyJump.
func jumpCommand(hops []Jump, ssh, config, level string) string {
	last := hops[len(hops)-1]
	words := []string{shellQuote(ssh)}
	if last.User != "" {
		words = append(words, "-l", shellQuote(last.User))
	}
	if last.Port != 0 {
		words = append(words, "-p", strconv.Itoa(last.Port))
	}
	if before := hops[:len(hops)-1]; len(before) > 0 {
		words = append(words, "-J", shellQuote(jumpList(before)))
	}
	if config != "" {
		words = append(words, "-F", shellQuote(config))
	}
	if v := verbosity(level); v != "" {
		words = append(words, v)
	}
	// The tokens are the caller's to expand; those that were typed are not.
	head := strings.ReplaceAll(strings.Join(words, " "), "%", "%%")
	return head + " -W '[%h]:%p' -- " + strings.ReplaceAll(last.Host, "%", "%%")
}

// verbosity returns the -v flags that give a LogLevel.
func verbosity(level string) string {
	switch level {
	case "DEBUG":
		return "-v"
	case "DEBUG2":
		return "-vv"
	case "DEBUG3":
		return "-vvv"
	}
	return ""
}

// shellQuote returns s as one word for sh.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("/._-+:@%=,", r) || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
