package hostconfig

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// set reads no, yes (0 is the same, for ever) or an idle limit.
func (p *Persist) set(s string) error {
	if on, err := parseBool(s); err == nil {
		*p = Persist{Enabled: on}
		return nil
	}
	idle, err := parseTime(s)
	*p = Persist{Enabled: err == nil, Idle: idle}
	return err
}

// set reads "bytes seconds", or the configuration's own "1G 1h".
func (r *RekeyLimit) set(s string) (err error) {
	bytes, interval, _ := strings.Cut(s, " ")
	*r = RekeyLimit{}
	if bytes != "default" {
		if r.Bytes, err = parseSize(bytes); err != nil {
			return err
		}
	}
	if interval != "" && interval != "none" {
		r.Interval, err = parseTime(interval)
	}
	return err
}

// parseSize reads a number of bytes with K, M or G.
func parseSize(s string) (uint64, error) {
	digits := strings.TrimRight(s, "KkMmGg")
	shift := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}
	by, ok := shift[strings.ToLower(s[len(digits):])]
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || n<<by>>by != n {
		return 0, errors.New("is no size such as 512K or 1G")
	}
	return n << by, nil
}

// tosNames are ssh_config's names for values of the TOS byte: the code points
// of RFC 2474, RFC 2597, RFC 3246 and RFC 8622 shifted by two, and RFC 1349's.
var tosNames = map[string]int{
	"af11": 0x28, "af12": 0x30, "af13": 0x38,
	"af21": 0x48, "af22": 0x50, "af23": 0x58,
	"af31": 0x68, "af32": 0x70, "af33": 0x78,
	"af41": 0x88, "af42": 0x90, "af43": 0x98,
	"cs0": 0x00, "cs1": 0x20, "cs2": 0x40, "cs3": 0x60,
	"cs4": 0x80, "cs5": 0xa0, "cs6": 0xc0, "cs7": 0xe0,
	"ef": 0xb8, "le": 0x04, "va": 0xb0,
	"lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04,
	"none": QoSNone,
}

// set reads one class for both kinds of traffic, or one for each.
func (q *IPQoS) set(s string) (err error) {
	words := strings.Fields(s)
	if len(words) == 1 {
		words = append(words, words[0])
	}
	if len(words) != 2 {
		return errors.New("is not one or two classes of service")
	}
	if q.Interactive, err = parseTOS(words[0]); err != nil {
		return err
	}
	q.Bulk, err = parseTOS(words[1])
	return err
}

// parseTOS reads one class by name or number.
func parseTOS(s string) (int, error) {
	if v, ok := tosNames[strings.ToLower(s)]; ok {
		return v, nil
	}
	n, err := strconv.ParseUint(s, 0, 8)
	if err != nil {
		return 0, fmt.Errorf("has %s, which is no class of service", printable(s))
	}
	return int(n), nil
}

// set reads no, yes, ask, confirm, a time, or "confirm" and a time.
func (a *AddKeys) set(s string) (err error) {
	mode, lifetime, both := strings.Cut(s, " ")
	*a = AddKeys{}
	a.Mode, err = parseChoice(mode, []string{"no", "yes", "ask", "confirm"})
	switch {
	case err != nil && !both:
		a.Mode, lifetime = "yes", mode
	case err != nil || both && a.Mode != "confirm":
		return errors.New("is none of no, yes, ask, confirm, a time")
	case !both:
		return nil
	}
	a.Lifetime, err = parseTime(lifetime)
	return err
}

// set reads no, yes, or where the agent is.
func (a *AgentForward) set(s string) error {
	if on, err := parseBool(s); err == nil {
		*a = AgentForward{Enabled: on}
		return nil
	}
	*a = AgentForward{Enabled: true, Path: s}
	return nil
}

// set reads a character, ^X, none, or the notation of vis(3) that ssh prints:
// \^X, \040, \M-x, \\.
func (e *EscapeChar) set(s string) error {
	switch {
	case s == "none":
		*e = EscapeNone
	case len(s) == 1:
		*e = EscapeChar(s[0])
	case len(s) == 2 && s[0] == '^':
		*e = EscapeChar(s[1] & 0x1f)
	case len(s) == 3 && s[:2] == `\^`:
		*e = EscapeChar(s[2] ^ 0x40)
	case s == `\\`:
		*e = '\\'
	case len(s) == 4 && s[:3] == `\M-`:
		*e = EscapeChar(s[3]) | 0x80
	case len(s) == 4 && s[:3] == `\M^`:
		*e = EscapeChar(s[3]^0x40) | 0x80
	default:
		n, err := strconv.ParseUint(strings.TrimPrefix(s, `\`), 8, 8)
		if err != nil || len(s) != 4 {
			return errors.New("is no single character")
		}
		*e = EscapeChar(n)
	}
	return nil
}
