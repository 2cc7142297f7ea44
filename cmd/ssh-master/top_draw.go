package main

import (
	"fmt"
	"math"
	"time"

	"github.com/gdamore/tcell/v2"
)

// The screen, from above: a summary and the time, an empty line, the titles, as
// much of the table as there is room for, and the keys.
const (
	tableTop = 2
	footer   = 1
)

var looks = map[look]tcell.Style{
	plain:   tcell.StyleDefault,
	title:   tcell.StyleDefault.Dim(true),
	heading: tcell.StyleDefault.Bold(true),
	quiet:   tcell.StyleDefault,
	alarm:   tcell.StyleDefault.Foreground(tcell.ColorOlive),
}

// draw shows the board as it is at a time.
func (s *topScreen) draw(now time.Time) {
	width, height := s.Size()
	s.Clear()
	s.put(0, width, s.board.summary(), heading)
	clock := now.Format(time.TimeOnly)
	s.PutStrStyled(max(width-len(clock), 0), 0, clock, looks[title])
	table := s.board.lines(width, now)
	s.put(tableTop, width, table[0].text, table[0].look)
	rows := s.scroll(table[1:], height-tableTop-1-footer)
	for i, l := range rows {
		s.put(tableTop+1+i, width, l.text, l.look)
	}
	s.put(height-footer, width, fmt.Sprintf("q quit   s sort (by %s)   ↑ ↓ scroll", s.board.order), title)
	s.Show()
}

func (s *topScreen) put(y, width int, text string, how look) {
	s.PutStrStyled(0, y, fit(text, width, s.board.glyphs.ellipsis), looks[how])
}

// scroll is the part of the table that is shown in so many lines.
func (s *topScreen) scroll(rows []line, height int) []line {
	s.from = max(min(s.from, len(rows)-height), 0)
	return rows[s.from:min(s.from+max(height, 0), len(rows))]
}

// handle does what a key asks for. It returns false when the user has seen enough.
func (s *topScreen) handle(e tcell.Event) (stay bool) {
	switch e := e.(type) {
	case *tcell.EventResize:
		s.Sync()
	case *tcell.EventKey:
		_, height := s.Size()
		page := height - tableTop - 1 - footer
		switch e.Key() {
		case tcell.KeyCtrlC, tcell.KeyEscape:
			return false
		case tcell.KeyCtrlL:
			s.Sync()
		case tcell.KeyCtrlZ:
			s.pause()
		case tcell.KeyUp:
			s.from--
		case tcell.KeyDown:
			s.from++
		case tcell.KeyPgUp:
			s.from -= page
		case tcell.KeyPgDn:
			s.from += page
		case tcell.KeyHome:
			s.from = 0
		case tcell.KeyEnd:
			s.from = math.MaxInt // draw knows where the end is
		case tcell.KeyRune:
			return s.typed(e.Rune())
		}
	}
	return true
}

func (s *topScreen) typed(key rune) (stay bool) {
	switch key {
	case 'q', 'Q':
		return false
	case 's', 'S':
		s.board.resort()
	case 'k':
		s.from--
	case 'j':
		s.from++
	}
	return true
}

// pause stops the program, as ctrl-Z does with any, and goes on when it is
// continued.
func (s *topScreen) pause() {
	if s.Suspend() == nil {
		suspend()
		_ = s.Resume()
	}
}
