package identity

import (
	"context"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown bounds what one text of the host's may fill a screen with, in bytes.
const maxShown = 16 << 10

// Clean returns text without control and formatting characters, so that it can
// be shown on a terminal: newlines and tabs stay, malformed UTF-8 becomes a
// question mark, and what is beyond 16 KiB is cut off.
func Clean(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			return r
		}
		return -1
	}, text)
}

// cleanLine is Clean for what belongs on one line.
func cleanLine(text string) string {
	return strings.Join(strings.Fields(Clean(text)), " ")
}

// Banner shows the text that the host sends before the login, RFC 4252 section
// 5.4, as one record at info level. It is meant for [ssh.ClientConfig].
func (a *Auth) Banner(message string) error {
	text := strings.TrimRight(Clean(message), "\n")
	if text != "" {
		a.log.LogAttrs(context.Background(), slog.LevelInfo, text, slog.Bool("banner", true))
	}
	return nil
}
