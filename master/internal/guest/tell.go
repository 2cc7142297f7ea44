package guest

import (
	"context"
	"errors"
	"os"
	"strings"
	"unicode"

	"sshmaster/master/internal/upstream/prompt"
)

// maxLine bounds a line for a slave's terminal, in bytes.
const maxLine = 1024

// Tell shows one line on the slave's stderr, if that is a terminal, without
// what could do more to a terminal than be read. It does not wait for a
// terminal that was stopped for more than a second, and shows nothing in the
// middle of a question to the same slave.
func (g *Guest) Tell(line string) {
	_, end, err := g.begin(context.Background())
	if err != nil {
		return
	}
	defer end()
	if g.asking.Load() > 0 {
		return
	}
	err = prompt.NewTerminalAt(prompt.Seat{Open: g.openStderr}).Say(plain(line))
	if err != nil {
		g.c.Log.Debug("the slave is not told", "line", line, "reason", err)
	}
}

var errNotShown = errors.New("its standard error is not a terminal")

// openStderr opens the terminal that is the slave's stderr.
func (g *Guest) openStderr() (*os.File, error) {
	s := g.c.Files.Err
	if s == nil || !s.IsTerminal() {
		return nil, errNotShown
	}
	tty, err := s.OpenTerminal()
	if err != nil { // 2>/dev/tty, the name of everybody's own
		return g.peer.openTerminal()
	}
	return tty, nil
}

// plain makes text fit for one line of a terminal.
func plain(text string) string {
	if len(text) > maxLine {
		text = text[:maxLine]
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.Join(strings.Fields(text), " ")
}
