package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen lays the demo out on 80 columns: a command, how long it took, a bar, and below them what it printed.
type screen struct {
	out    io.Writer
	colour bool
	column int // where the cursor stands behind a command
}

// untilDone writes nothing more once the user has had enough: what fails then fails for that reason.
type untilDone struct {
	ctx context.Context
	out io.Writer
}

// Write passes p on, or drops it.
func (u untilDone) Write(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return len(p), nil
	}
	return u.out.Write(p)
}

const (
	timeColumn = 50 // times end here
	barWidth   = 26 // of a bar as long as the first login; longer ones are cut
)

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

// colourful reports whether the file is a terminal whose user wants colours.
func colourful(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) say(line string) { fmt.Fprintln(s.out, line) }

func (s *screen) heading(line string) { fmt.Fprintf(s.out, "\n%s\n\n", s.paint(bold, line)) }

// command shows a command before it runs, so that a slow one is not a riddle.
func (s *screen) command(line string) {
	fmt.Fprintf(s.out, "  $ %s", s.paint(bold, line))
	s.column = len("  $ ") + len(line)
}

// bar ends the command's line with its time, drawn to the scale of a login.
func (s *screen) bar(took, login time.Duration) {
	length := barWidth
	if took < login {
		length = max(1, int(float64(barWidth)*took.Seconds()/login.Seconds()+0.5))
	}
	fmt.Fprintf(s.out, "%*s  %s\n", max(1, timeColumn-s.column), milliseconds(took), s.paint(green, strings.Repeat("=", length)))
}

// output shows what a command printed, without control characters.
func (s *screen) output(text string) {
	for line := range strings.Lines(text) {
		line = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, line)
		fmt.Fprintf(s.out, "    %s\n", line)
	}
}

func (s *screen) note(text string) { fmt.Fprintf(s.out, "    %s\n", s.paint(dim, "("+text+")")) }

func (s *screen) failed(text string) { fmt.Fprintf(s.out, "    %s\n", s.paint(red, "FAILED: "+text)) }

func (s *screen) result(text string, good bool) {
	colour := green
	if !good {
		colour = red
	}
	fmt.Fprintln(s.out, s.paint(colour, text))
}

func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
}
