package control

import (
	"strings"

	"sshmaster/master/internal/pattern"
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
		if !ok || name == "" || len(name) > maxEnvName || !pattern.Any(patterns, name) {
			continue
		}
		if len(env) == maxEnv {
			return env
		}
		env = append(env, session.Variable{Name: name, Value: value})
	}
	return env
}
