package hostkeys

import (
	"errors"
	"fmt"
	"strings"
)

// splitWords splits a command as ssh does without a shell: at blanks, outside
// of single and double quotes; a backslash protects a quote, a backslash, and
// outside of quotes a blank.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '\\' && i+1 < len(s) && escapable(s[i+1], quote):
			i++
			word.WriteByte(s[i])
			inWord = true
		case quote == 0 && (ch == ' ' || ch == '\t'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case quote == 0 && (ch == '"' || ch == '\''):
			quote, inWord = ch, true
		case quote != 0 && ch == quote:
			quote = 0
		default:
			word.WriteByte(ch)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("its quotes are not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// escapable says whether a backslash protects ch.
func escapable(ch, quote byte) bool {
	return ch == '"' || ch == '\'' || ch == '\\' || quote == 0 && ch == ' '
}

// expandTokens replaces the tokens in the map, and %%.
func expandTokens(word string, tokens map[byte]string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '%' {
			b.WriteByte(word[i])
			continue
		}
		i++
		if i == len(word) {
			return "", errors.New("it ends in a single %")
		}
		value, ok := tokens[word[i]]
		switch {
		case word[i] == '%':
			b.WriteByte('%')
		case ok:
			b.WriteString(value)
		default:
			return "", fmt.Errorf("unknown token %%%c", word[i])
		}
	}
	return b.String(), nil
}
