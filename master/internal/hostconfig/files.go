package hostconfig

import "strings"

// joinedFiles takes apart a list of file names that ssh printed with spaces
// between and without quotes. Names may hold spaces themselves: words are
// joined again where that gives a file that exists, the longest first.
func joinedFiles(value string, exists func(string) bool) []string {
	words := strings.Split(value, " ")
	var files []string
	for len(words) > 0 {
		n := longestFile(words, exists)
		if name := strings.Join(words[:n], " "); name != "" {
			files = append(files, name)
		}
		words = words[n:]
	}
	return files
}

// maxJoined bounds how many words one file name is tried with.
const maxJoined = 32

// longestFile returns how many words, joined, name one file: the most that name
// an existing one. A name that does not exist yet (a known_hosts file to be
// made) goes up to the next word that looks like a path or exists.
func longestFile(words []string, exists func(string) bool) int {
	for n := min(len(words), maxJoined); n > 0; n-- {
		if exists(strings.Join(words[:n], " ")) {
			return n
		}
	}
	n := 1
	for looksLikePath(words[0]) && n < len(words) && !looksLikePath(words[n]) && !exists(words[n]) {
		n++
	}
	return n
}

// looksLikePath says whether a word begins like a full path.
func looksLikePath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~")
}
