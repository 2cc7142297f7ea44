package control

import (
	"strings"

	"sshmaster/master/internal/session"
)

const (
	// maxEnv is how many variables a session may carry, as in OpenSSH: its
	// check comes after the storing, hence the one more.
	maxEnv = 4097

	// maxEnvName bounds the length of a name, in bytes.
	maxEnvName = 1023
)

// permittedEnv keeps of a slave's variables those that SendEnv allows, in
// their order, duplicates included.
func permittedEnv(entries, patterns []string) []session.Variable {
	var env []session.Variable
	for _, entry := range entries {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" || len(name) > maxEnvName || !matchesAny(name, patterns) {
			continue
		}
		if len(env) == maxEnv {
			return env
		}
		env = append(env, session.Variable{Name: name, Value: value})
	}
	return env
}

func matchesAny(name string, patterns []string) bool {
	for _, p := range patterns {
		if match(p, name) {
			return true
		}
	}
	return false
}

// match is ssh_config(5)'s PATTERNS: * for any bytes, ? for one.
func match(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
