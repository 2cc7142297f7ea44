// Package pattern matches names against the patterns of ssh_config(5),
// PATTERNS: "*" stands for any number of characters and "?" for exactly one.
package pattern

import "strings"

// Match says whether name fits the pattern, in at most len(name)*len(pattern)
// steps.
func Match(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0 // where to go on when a "*" has to stand for more
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

// Any says whether one of the patterns fits and none of those after a "!" does.
func Any(patterns []string, name string) bool {
	found := false
	for _, p := range patterns {
		p, negated := strings.CutPrefix(p, "!")
		if !Match(p, name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}
