package hostconfig

import (
	"errors"
	"fmt"
	"os/user"
	"path"
	"strings"
)

// tokens maps a token's letter to what stands for it.
type tokens map[byte]string

// with returns a copy of t with more tokens.
func (t tokens) with(more map[byte]string) tokens {
	all := make(tokens, len(t)+len(more))
	for k, v := range t {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// only returns those tokens of t that letters names.
func (t tokens) only(letters string) tokens {
	some := make(tokens, len(letters))
	for i := 0; i < len(letters); i++ {
		if v, ok := t[letters[i]]; ok {
			some[letters[i]] = v
		}
	}
	return some
}

// maxExpanded bounds what a value can grow to. Linux's limit for one argument
// of a program is the same.
const maxExpanded = 128 << 10

// errTooLong says that a value grew beyond maxExpanded.
var errTooLong = errors.New("grows beyond 128 KiB when expanded")

// expandPercent replaces the tokens of s (ssh_config(5) TOKENS).
func expandPercent(s string, t tokens) (string, error) { return expand(s, t, nil) }

// expand replaces the tokens of s and, where env is not nil, each ${NAME}.
// What was put in is not expanded again.
func expand(s string, t tokens, env func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if b.Len() > maxExpanded {
			return "", errTooLong
		}
		switch {
		case s[i] == '%':
			i++
			v, err := oneToken(s[i:], t)
			if err != nil {
				return "", err
			}
			b.WriteString(v)
		case env != nil && strings.HasPrefix(s[i:], "${"):
			name, v, err := oneVariable(s[i:], env)
			if err != nil {
				return "", err
			}
			b.WriteString(v)
			i += len(name) + len("${}") - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// oneToken returns what stands for the token whose letter begins rest.
func oneToken(rest string, t tokens) (string, error) {
	if rest == "" {
		return "", errors.New("ends in a lone %; a percent sign is written %%")
	}
	if rest[0] == '%' {
		return "%", nil
	}
	v, ok := t[rest[0]]
	if !ok {
		return "", fmt.Errorf("has the token %q, which this option does not know", "%"+rest[:1])
	}
	return v, nil
}

// oneVariable returns name and value of the ${NAME} that s begins with.
func oneVariable(s string, env func(string) (string, bool)) (name, value string, err error) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return "", "", errors.New("has a ${ without its }")
	}
	name = s[len("${"):end]
	if name == "" {
		return "", "", errors.New("has a ${} without a name")
	}
	value, ok := env(name)
	if !ok {
		return "", "", fmt.Errorf("needs the environment variable %s, which is not set", name)
	}
	return name, value, nil
}

// expandTilde replaces a leading ~ or ~user by the home folder, as ssh finds
// it: in the password database, not in HOME.
func expandTilde(s, home string) (string, error) {
	if !strings.HasPrefix(s, "~") {
		return s, nil
	}
	name, rest, _ := strings.Cut(s[1:], "/")
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return "", fmt.Errorf("has ~%s, and there is no such user", name)
		}
		home = u.HomeDir
	}
	return path.Clean(home) + "/" + strings.TrimLeft(rest, "/"), nil
}
