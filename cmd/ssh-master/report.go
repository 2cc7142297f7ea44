package main

import (
	"strconv"
	"time"

	"sshmaster/master"
)

// A line is one line for a terminal, and what it is, which says how it looks
// where that can be shown.
type line struct {
	text string
	look look
}

type look int

const (
	plain   look = iota
	title        // of columns
	heading      // a master whose connection is as it should be
	quiet        // one that has none
	alarm        // one whose host does not answer, and why
)

// report is what -O list shows of masters: each with who uses it and what it
// forwards, indented below it.
func report(masters []master.Status, now time.Time) []line {
	hosts := newGrid("", left("HOST"), left("STATE"), right("LINKS"), right("SESSIONS"), right("RTT"), right("AGE"), left("ADDRESS"))
	sessions := newGrid("  ", right("PID"), left("PROGRAM"), left("TTY"), right("AGE"), right("IN"), right("OUT"), left("COMMAND"))
	forwards := newGrid("  ", left(""), right(""), left(""))
	for _, m := range masters {
		hosts.add(hostText(m), oneLine(string(m.State)), strconv.Itoa(len(m.Links)), strconv.Itoa(len(m.Sessions)+m.SessionsLeftOut),
			tripText(roundTrip(m)), ageText(now.Sub(m.Since)), addressText(m))
		for _, s := range m.Sessions {
			sessions.add(pidText(s), programText(s), terminalText(s), ageText(now.Sub(s.Since)),
				sizeText(float64(s.BytesIn)), sizeText(float64(s.BytesOut)), commandText(s))
		}
		for _, f := range m.Forwards {
			forwards.add(forwardText(f), ageText(now.Sub(f.Since)), noteText(f))
		}
	}
	lines := []line{{hosts.title(), title}}
	if sessions.filled() {
		lines = append(lines, line{sessions.title(), title})
	}
	for _, m := range masters {
		lines = append(lines, line{hosts.next(), lookOf(m)})
		if text := troubleText(m); text != "" {
			lines = append(lines, line{text, alarm})
		}
		for range m.Sessions {
			lines = append(lines, line{text: sessions.next()})
		}
		for range m.Forwards {
			lines = append(lines, line{text: forwards.next()})
		}
		if text := leftOutText(m); text != "" {
			lines = append(lines, line{text: text})
		}
	}
	return lines
}

func lookOf(m master.Status) look {
	switch m.State {
	case master.StateUp, master.StateDraining:
		return heading
	case master.StateSuspect:
		return alarm
	}
	return quiet
}
