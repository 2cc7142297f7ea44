package stocklink

import "strings"

// clean makes what ssh says, and with it the host, fit for a terminal: control
// characters and marks that reorder text go.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

func unprintable(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 ||
		r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}
