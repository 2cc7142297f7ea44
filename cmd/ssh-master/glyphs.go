package main

import (
	"cmp"
	"strings"
)

// Glyphs are what tables draw with beyond letters and digits.
type glyphs struct {
	bars     []rune // the heights of a graph's cells, the lowest for nothing at all
	ellipsis string // stands for what was cut off
}

var (
	unicodeGlyphs = glyphs{[]rune("▁▂▃▄▅▆▇█"), "…"}
	asciiGlyphs   = glyphs{[]rune("_.:-=+*#"), "..."}
)

// glyphsOf are those that the user's terminal shows, as the locale says.
func glyphsOf(getenv func(string) string) glyphs {
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	if strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8") {
		return unicodeGlyphs
	}
	return asciiGlyphs
}
