package hostconfig

import (
	"errors"
	"strings"
)

// splitWords splits the arguments of a keyword as ssh_config does: words
// between blanks, in ' or " where they hold blanks, backslash before a quote, a
// backslash or (outside of quotes) a blank. With comments, a # that begins a
// word ends the line.
func splitWords(s string, comments bool) ([]string, error) {
	var words []string
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if comments && s[i] == '#' {
			break
		}
		word, n, err := oneWord(s[i:])
		if err != nil {
			return nil, err
		}
		words = append(words, word)
		i += n
	}
	return words, nil
}

// oneWord returns the word that s begins with and how much of s it takes.
func oneWord(s string) (string, int, error) {
	var b strings.Builder
	var quote byte
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && escapable(s[i+1], quote):
			i++
			b.WriteByte(s[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), i, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", 0, errors.New("has a quote that does not end")
	}
	return b.String(), i, nil
}

// escapable says whether a backslash takes c's meaning away.
func escapable(c, quote byte) bool {
	return c == '\'' || c == '"' || c == '\\' || quote == 0 && c == ' '
}
