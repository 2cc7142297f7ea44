package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"

	"sshmaster/master"
)

// list is -O list: what one master holds, or those of every host.
func (c *command) list(ctx context.Context, a *asker) error {
	masters, err := a.masters(ctx)
	switch {
	case err != nil:
		return err
	case c.json:
		return writeJSON(os.Stdout, masters)
	}
	return writeReport(os.Stdout, report(masters, time.Now()), screenOf(os.Stdout))
}

// masters asks the master that the command line names, or else for all.
func (a *asker) masters(ctx context.Context) ([]master.Status, error) {
	if a.path == "" {
		return listAll(ctx)
	}
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	defer a.Close()
	s, err := a.status(ctx)
	if err != nil {
		return nil, err
	}
	return []master.Status{s}, nil
}

func writeJSON(w io.Writer, masters []master.Status) error {
	if masters == nil {
		masters = []master.Status{} // not null
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // commands are full of < and &
	e.SetIndent("", "  ")
	if err := e.Encode(masters); err != nil {
		return err
	}
	_, err := io.WriteString(w, escaped(text.String()))
	return err
}

// escaped is JSON in which nothing is left that could command a terminal: Unicode
// has more of that than JSON escapes by itself.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n', unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			for _, half := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, half)
			}
		}
	}
	return b.String()
}

// A screen is what a report is written to.
type screen struct {
	width  int // in columns, 0 for no limit
	colour bool
	glyphs
}

// screenOf is what is known of a file: one that is no terminal gets all, plain.
func screenOf(f *os.File) screen {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return screen{}
	}
	return screen{width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", glyphsOf(os.Getenv)}
}

// sgr is how each look is asked of a terminal (ECMA-48 section 8.3.117).
var sgr = map[look]string{title: "2", heading: "1", quiet: "", alarm: "33"}

func writeReport(w io.Writer, lines []line, to screen) error {
	out := bufio.NewWriter(w)
	for _, l := range lines {
		text := fit(l.text, to.width, to.ellipsis)
		if how := sgr[l.look]; how != "" && to.colour {
			text = "\x1b[" + how + "m" + text + "\x1b[m"
		}
		fmt.Fprintln(out, text)
	}
	return out.Flush()
}
