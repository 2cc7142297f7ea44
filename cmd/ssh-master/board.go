package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sshmaster/master"
)

// A board is what -O top shows: masters and what they move.
type board struct {
	masters []master.Status
	flows   flows
	order   order
	glyphs  glyphs
	trouble string // why nothing is known at the moment
}

// An order is by what hosts and the sessions of each are sorted.
type order int

const (
	byRate order = iota // who moves most comes first
	byName              // hosts by name, sessions by process
	byAge               // the youngest first
	orders
)

func (o order) String() string { return [...]string{"rate", "name", "age"}[o] }

// update takes what a look at the masters has come to.
func (b *board) update(masters []master.Status, err error, at time.Time) {
	if err != nil {
		b.masters, b.trouble = nil, words(err)
		return
	}
	b.masters, b.trouble = masters, ""
	b.flows.look(masters, at)
	b.sort()
}

// resort goes on to the next order.
func (b *board) resort() {
	b.order = (b.order + 1) % orders
	b.sort()
}

func (b *board) sort() {
	slices.SortStableFunc(b.masters, func(x, y master.Status) int {
		switch b.order {
		case byRate:
			return cmp.Compare(b.flows.of(keyOf(y)).rate(), b.flows.of(keyOf(x)).rate())
		case byAge:
			return y.Since.Compare(x.Since)
		}
		return cmp.Compare(x.Host, y.Host)
	})
	for _, m := range b.masters {
		host := keyOf(m)
		slices.SortStableFunc(m.Sessions, func(x, y master.SessionStatus) int {
			switch b.order {
			case byRate:
				return cmp.Compare(b.flows.of(host.session(y)).rate(), b.flows.of(host.session(x)).rate())
			case byAge:
				return y.Since.Compare(x.Since)
			}
			return cmp.Compare(x.PID, y.PID)
		})
	}
}

// summary is the first line: how much there is.
func (b *board) summary() string {
	sessions, in, out := 0, 0.0, 0.0
	for _, m := range b.masters {
		f := b.flows.of(keyOf(m))
		sessions += len(m.Sessions) + m.SessionsLeftOut
		in, out = in+f.in.now(), out+f.out.now()
	}
	return fmt.Sprintf("%s, %s, %s/s in, %s/s out",
		countText(len(b.masters), "host"), countText(sessions, "session"), sizeText(in), sizeText(out))
}

// lines is the table, for a terminal of a width, as of a time: its titles, then a
// line for each host and each of its sessions.
func (b *board) lines(width int, now time.Time) []line {
	if b.trouble != "" {
		return []line{{b.trouble, alarm}}
	}
	cells := graphCells(width)
	g := newGrid("", left("HOST"), left("STATE"), right("RTT"), right("AGE"),
		right("IN/s"), left(""), right("OUT/s"), left(""), left("ADDRESS"))
	row := func(name, state, trip string, since time.Time, f *flow, what string) {
		g.add(name, state, trip, ageText(now.Sub(since)),
			sizeText(f.in.now()), f.in.graph(cells, b.glyphs.bars), sizeText(f.out.now()), f.out.graph(cells, b.glyphs.bars), what)
	}
	for _, m := range b.masters {
		row(hostText(m), oneLine(string(m.State)), tripText(roundTrip(m)), m.Since, b.flows.of(keyOf(m)), addressText(m))
		for _, s := range m.Sessions {
			row(fmt.Sprintf("%7s %s", pidText(s), userText(s)), terminalText(s), "", s.Since, b.flows.of(keyOf(m).session(s)), commandText(s))
		}
	}
	lines := []line{{g.title(), title}}
	for _, m := range b.masters {
		lines = append(lines, line{g.next(), lookOf(m)})
		if text := troubleText(m); text != "" {
			lines = append(lines, line{text, alarm})
		}
		for range m.Sessions {
			lines = append(lines, line{text: g.next()})
		}
		if text := leftOutText(m); text != "" {
			lines = append(lines, line{text: text})
		}
	}
	return lines
}

// graphCells is how many cells a graph has on a terminal of a width.
// What it does not use is for addresses and commands.
func graphCells(width int) int { return min(max((width-70)/4, 6), span/2) }
