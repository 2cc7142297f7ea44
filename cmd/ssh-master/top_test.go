package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"
	"github.com/stretchr/testify/require"

	"sshmaster/master"
)

// newScreen is a terminal of that size, on which a board with so many sessions is
// shown.
func newScreen(t *testing.T, width, height, sessions int) (*topScreen, tcell.SimulationScreen) {
	t.Helper()
	sim := tcell.NewSimulationScreen("UTF-8")
	require.NoError(t, sim.Init())
	t.Cleanup(sim.Fini)
	sim.SetSize(width, height)
	s := &topScreen{Screen: sim, board: board{glyphs: unicodeGlyphs, order: byName}}
	m := master.Status{Host: "bastion", State: master.StateUp, Since: noon}
	for i := range sessions {
		m.Sessions = append(m.Sessions, master.SessionStatus{Number: i, PID: 100 + i, Since: noon, Command: fmt.Sprintf("command %d", i)})
	}
	s.board.update([]master.Status{m}, nil, noon)
	s.draw(noon)
	return s, sim
}

// shown is what stands on the terminal, a line each.
func shown(sim tcell.SimulationScreen) []string {
	cells, width, height := sim.GetContents()
	lines := make([]string, height)
	for y := range lines {
		var b strings.Builder
		for _, c := range cells[y*width : (y+1)*width] {
			b.WriteString(string(c.Runes))
		}
		lines[y] = strings.TrimRight(b.String(), " ")
	}
	return lines
}

func key(k tcell.Key) tcell.Event { return tcell.NewEventKey(k, 0, tcell.ModNone) }
func letter(r rune) tcell.Event   { return tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone) }

func TestTopScreen(t *testing.T) {
	_, sim := newScreen(t, 80, 8, 2)
	require.Equal(t, []string{
		"1 host, 2 sessions, 0/s in, 0/s out                                     12:00:00",
		"",
		"HOST       STATE  RTT  AGE  IN/s          OUT/s          ADDRESS",
		"bastion    up       -   0s     0              0          @",
		"    100 -  -            0s     0              0          command 0",
		"    101 -  -            0s     0              0          command 1",
		"",
		"q quit   s sort (by name)   ↑ ↓ scroll",
	}, shown(sim))
}

func TestTopScrolls(t *testing.T) {
	s, sim := newScreen(t, 60, 10, 20)
	first := func() string { return strings.Fields(shown(sim)[tableTop+1])[0] }
	last := func() string { return strings.Fields(shown(sim)[8])[0] }
	for _, c := range []struct {
		event       tcell.Event
		first, last string
	}{
		{key(tcell.KeyUp), "bastion", "104"},
		{key(tcell.KeyDown), "100", "105"},
		{letter('j'), "101", "106"},
		{key(tcell.KeyPgDn), "107", "112"},
		{key(tcell.KeyEnd), "114", "119"},
		{key(tcell.KeyDown), "114", "119"},
		{letter('k'), "113", "118"},
		{key(tcell.KeyPgUp), "107", "112"},
		{key(tcell.KeyHome), "bastion", "104"},
	} {
		require.True(t, s.handle(c.event))
		s.draw(noon)
		require.Equal(t, c.first+" to "+c.last, first()+" to "+last())
	}
}

func TestTopIsLeft(t *testing.T) {
	for _, e := range []tcell.Event{letter('q'), key(tcell.KeyCtrlC), key(tcell.KeyEscape)} {
		s, _ := newScreen(t, 60, 10, 1)
		require.False(t, s.handle(e))
	}
}

// A terminal that has no room for anything is no reason to fail.
func TestTopOnATinyTerminal(t *testing.T) {
	for height := range 5 {
		s, sim := newScreen(t, 1, height, 3)
		sim.SetSize(1, height)
		s.draw(noon)
	}
}

// The screen shows what is seen, also when nothing can be, until its time is over.
func TestTopRuns(t *testing.T) {
	s, _ := newScreen(t, 60, 10, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, &watch{asker: &asker{path: "/nowhere"}}) }()
	reason := &endSignal{}
	cancel(reason)
	require.ErrorIs(t, <-ended, reason)
}
