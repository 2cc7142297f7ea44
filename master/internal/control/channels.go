package control

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"sshmaster/master/internal/session"
)

// Types of channels as OpenSSH numbers them in its channel list.
const (
	typeOpen       = 4
	typeMuxControl = 16
	typeMuxProxy   = 20
)

// Channels is the text of -O channels and ~#: OpenSSH's list of channels, of
// this master's slaves and what they carry. What OpenSSH knows and this master
// does not, the host's number of a channel among it, reads as none.
func (s *Server) Channels() string {
	lines := s.channelLines()
	if s.cfg.Carried != nil {
		lines = append(lines, s.cfg.Carried()...)
	}
	slices.SortFunc(lines, func(a, b ChannelLine) int { return a.Number - b.Number })
	var b strings.Builder
	b.WriteString("The following connections are open:\r\n")
	for _, l := range lines {
		b.WriteString(l.String())
	}
	return b.String()
}

// maxName is how many bytes of a name OpenSSH shows.
const maxName = 300

// shown is a name as far as it is shown. It may hold a slave's or the host's
// own words, and is read on another slave's terminal.
func shown(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, name[:min(len(name), maxName)])
}

func (s *Server) channelLines() []ChannelLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []ChannelLine
	for v := range s.slaves {
		lines = append(lines, v.channelLines()...)
	}
	return lines
}

// channelLines is the slave's own connection and what runs for it.
func (v *slave) channelLines() []ChannelLine {
	own := ChannelLine{Number: v.number, Name: "mux-control", Type: typeMuxControl, Kind: "mux-control", Control: -1, Mux: true, Interactive: true}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.proxied != nil {
		own.Type, own.Name, own.Kind = typeMuxProxy, "mux-proxy", "mux-proxy"
	}
	if v.passenger == nil {
		return []ChannelLine{own}
	}
	own.Child = v.passengerNumber
	line := ChannelLine{Number: v.passengerNumber, Type: typeOpen, Control: v.number}
	switch p := v.passenger.(type) {
	case *session.Session:
		line.Name, line.Kind = "client-session", "session:"+p.Describe()
		line.TTY, line.Interactive, line.Stderr = p.TTY(), p.TTY(), true
		line.InputEnded, line.OutputEnded = p.Ended()
	default:
		line.Name, line.Kind = p.Describe(), "stdio-forward"
	}
	return []ChannelLine{own, line}
}

// A ChannelLine is one line of the list of channels.
type ChannelLine struct {
	Number  int
	Name    string
	Type    int    // OpenSSH's number of the kind of channel
	Kind    string // its name
	Control int    // number of the control connection it belongs to, -1 for none
	Child   int    // number of the channel that belongs to it, 0 for none

	Mux         bool // a control connection rather than a channel to the host
	TTY         bool
	Interactive bool
	Stderr      bool

	InputEnded, OutputEnded bool
}

// String is the line as OpenSSH formats it, CR LF at its end.
func (l ChannelLine) String() string {
	mux, child, stderr := "nm0", "nc0", "closed"
	if l.Mux {
		mux = "m0"
	}
	if l.Child != 0 {
		child = fmt.Sprintf("c%d", l.Child)
	}
	if l.Stderr {
		stderr = "write"
	}
	return fmt.Sprintf("  #%d %s (t%d [%s] nr0 %s i%d/0 o%d/0 e[%s]/0 fd -1/-1/-1 sock -1 cc %d %s io 0x00/0x00 %s%s)\r\n",
		l.Number, shown(l.Name), l.Type, shown(l.Kind), mux, state(l.InputEnded), state(l.OutputEnded), stderr,
		l.Control, child, word(l.TTY, "RT", ""), word(l.Interactive, "I", "B"))
}

// state is OpenSSH's number for half a channel: open or closed.
func state(ended bool) int {
	if ended {
		return 3
	}
	return 0
}

func word(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// Numbers gives out the lowest free number, as OpenSSH numbers its channels.
type Numbers struct {
	mu    sync.Mutex
	taken []bool
}

// Take takes the lowest free number, 0 at first.
func (n *Numbers) Take() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.taken, false); i >= 0 {
		n.taken[i] = true
		return i
	}
	n.taken = append(n.taken, true)
	return len(n.taken) - 1
}

// Free gives a number back.
func (n *Numbers) Free(number int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken[number] = false
}
