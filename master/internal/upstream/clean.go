package upstream

import "strings"

// maxText bounds a server's words in one sentence of ours.
const maxText = 1024

// clean makes a server's words fit for one line of a terminal or a log: control
// characters and broken UTF-8 become question marks, the rest of a long text is
// cut off.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// cleanLines does the same for a text of several lines, whatever its length,
// and keeps its newlines and tabs. Carriage returns before newlines go.
func cleanLines(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unprintable(r) {
			return -1
		}
		return r
	}, s)
}

// unprintable says whether a terminal could take r for a command: the C0 and C1
// controls, DEL, and the marks that reorder or hide text.
func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 ||
		r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}
