package master

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sshmaster/master/internal/control"
	"sshmaster/master/internal/upstream/pool"
	"sshmaster/master/internal/upstream/stocklink"
)

// maxCommand bounds what a status says of a command, in bytes.
const maxCommand = 300

// Status describes the master as it is now. It may be called at any time, from
// any goroutine, and waits for nobody.
func (m *Master) Status() Status {
	s := Status{
		Host: m.host.OriginalHost, User: m.host.User, Version: m.opts.Version,
		Address: net.JoinHostPort(m.host.HostName, strconv.Itoa(m.host.Port)),
		Control: m.controlPath(), PID: os.Getpid(), Since: m.began,
		Links: m.linkStatuses(), Sessions: m.sessionStatuses(), Forwards: m.forwardStatuses(),
		Connections: len(m.forwards.Connections()),
	}
	s.State = m.state(s.Links)
	if len(s.Links) == 0 {
		s.Trouble = m.trouble()
	}
	return s
}

// controlPath is where the socket is, from whatever folder one looks.
func (m *Master) controlPath() string {
	if filepath.IsAbs(m.opts.Control) {
		return m.opts.Control
	}
	return filepath.Join(m.opts.Dir, m.opts.Control)
}

// state sums up what the links do.
func (m *Master) state(links []LinkStatus) State {
	answers := func(l LinkStatus) bool { return l.State != LinkSuspect }
	switch {
	case m.idle.leaving():
		return StateDraining
	case slices.ContainsFunc(links, answers):
		return StateUp
	case len(links) > 0:
		return StateSuspect
	case m.pool.Connecting():
		return StateConnecting
	}
	return StateIdle
}

// trouble is why there is no link; none where nobody has wanted one yet.
func (m *Master) trouble() string {
	if err := m.pool.Trouble(); err != nil {
		return err.Error()
	}
	return ""
}

func (m *Master) linkStatuses() []LinkStatus {
	all := []LinkStatus{} // not null in JSON
	for _, s := range m.pool.States() {
		l := LinkStatus{
			Number: s.Number, State: linkState(s), Home: s.Home, Since: s.Info.Started,
			RoundTrip: Seconds(s.Info.RoundTrip), Silence: Seconds(s.Info.Silence),
			Sessions: s.Sessions, Streams: s.Streams, Spares: s.Spares,
			BytesIn: s.Info.BytesIn, BytesOut: s.Info.BytesOut,
		}
		_, l.Stock = s.Link.(*stocklink.Link)
		if s.Info.Remote != nil && !s.Info.Proxied {
			l.Remote = s.Info.Remote.String()
		}
		all = append(all, l)
	}
	return all
}

func linkState(s pool.State) LinkState {
	switch {
	case s.Suspect > 0:
		return LinkSuspect
	case s.Retired:
		return LinkRetired
	}
	return LinkUp
}

func (m *Master) sessionStatuses() []SessionStatus {
	all := []SessionStatus{}
	for _, e := range m.server.Errands() {
		p := lookAt(e.PID)
		all = append(all, SessionStatus{
			Number: e.Number, PID: e.PID, Program: p.program, Parent: p.parent, Terminal: p.terminal,
			Kind: kinds[e.Kind], Command: bounded(e.Command), Subsystem: e.Subsystem, TTY: e.TTY,
			Waiting: e.Waiting, Since: e.Since, BytesIn: e.In, BytesOut: e.Out,
		})
	}
	return all
}

var kinds = map[control.Kind]SessionKind{
	control.Passenger: KindSession, control.Stream: KindStdioForward, control.Proxied: KindProxy,
}

// bounded is a text of a bounded length; one that was cut ends in an ellipsis.
func bounded(text string) string {
	if len(text) <= maxCommand {
		return text
	}
	return strings.ToValidUTF8(text[:maxCommand-len("…")], "") + "…"
}
