package session

// escapes finds ssh(1)'s escape sequences in what a person types: the escape
// character at the start of a line, and one more byte. It holds nothing but
// its state, so a sequence may be split over any number of reads.
type escapes struct {
	char        byte
	lineStart   bool // the last byte sent ended a line, or nothing was sent yet
	pending     bool // the escape character was seen and not sent
	replacement [2]byte
}

func newEscapes(char byte) *escapes { return &escapes{char: char, lineStart: true} }

// next takes p up to the next decision: send goes to the host, then command, if
// not 0, is carried out, then rest is fed in again. Send is valid until the
// next call.
func (e *escapes) next(p []byte) (send []byte, command byte, rest []byte) {
	if e.pending && len(p) > 0 {
		send, command = e.complete(p[0])
		return send, command, p[1:]
	}
	for i, c := range p {
		if e.lineStart && c == e.char {
			e.pending = true
			return p[:i], 0, p[i+1:]
		}
		e.lineStart = endsLine(c)
	}
	return p, 0, nil
}

// complete decides about the byte after the escape character. After a command
// the line still counts as not begun, so that escapes can follow one another.
func (e *escapes) complete(c byte) (send []byte, command byte) {
	e.pending = false
	switch {
	case c == e.char:
		e.lineStart = false
		e.replacement[0] = c
		return e.replacement[:1], 0
	case isCommand(c):
		return nil, c
	default:
		e.lineStart = endsLine(c)
		e.replacement = [2]byte{e.char, c}
		return e.replacement[:2], 0
	}
}

func endsLine(c byte) bool { return c == '\r' || c == '\n' }

const ctrlZ = 'Z' & 0x1f

func isCommand(c byte) bool {
	switch c {
	case '.', 'B', 'C', 'I', 'R', 'V', 'v', '#', '&', '?', ctrlZ:
		return true
	}
	return false
}

// escapeHelp is what ~? shows in a multiplexed session.
var escapeHelp = []struct{ key, does string }{
	{".", "terminate session"},
	{"B", "send a BREAK to the remote system"},
	{"I", "show connection information"},
	{"R", "request rekey"},
	{"#", "list forwarded connections"},
	{"?", "this message"},
}
