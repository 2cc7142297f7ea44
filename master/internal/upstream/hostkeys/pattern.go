package hostkeys

import (
	"slices"
	"strings"

	"sshmaster/master/internal/pattern"
)

// maxPattern bounds one pattern of a list. OpenSSH takes a list with a longer
// one for a list that matches nothing.
const maxPattern = 1022

// matchList matches name against a comma-separated list of patterns. A pattern
// after "!" that matches outweighs all others.
func matchList(name, list string) bool {
	patterns := strings.Split(list, ",")
	if slices.ContainsFunc(patterns, func(p string) bool { return len(strings.TrimPrefix(p, "!")) > maxPattern }) {
		return false
	}
	return pattern.Any(patterns, name)
}
