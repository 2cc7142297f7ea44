package hostkeys

import "strings"

// maxPattern bounds one pattern of a list. OpenSSH takes a list with a longer
// one for a list that matches nothing.
const maxPattern = 1022

// matchPattern matches name against one pattern of ssh_config(5), PATTERNS:
// "*" stands for any characters and "?" for one. It takes at most
// len(name)*len(pattern) steps.
func matchPattern(name, pattern string) bool {
	n, p := 0, 0
	star, mark := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			n++
			p++
		case star >= 0:
			mark++
			n, p = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchList matches name against a comma-separated list of patterns. A pattern
// after "!" that matches outweighs all others.
func matchList(name, list string) bool {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if len(pattern) > maxPattern {
			return false
		}
		if !matchPattern(name, pattern) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}
