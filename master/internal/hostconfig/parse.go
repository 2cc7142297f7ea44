package hostconfig

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseBool reads a flag in any of the words that some release prints.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "always":
		return true, nil
	case "no", "false", "off":
		return false, nil
	}
	return false, errors.New("is neither yes nor no")
}

// parseChoice folds the words for yes and no and checks s against the choices;
// without choices s is taken as it stands.
func parseChoice(s string, oneof []string) (string, error) {
	if len(oneof) == 0 {
		return s, nil
	}
	word := strings.ToLower(s)
	if slices.Contains(oneof, word) {
		return word, nil
	}
	if on, err := parseBool(word); err == nil {
		word = map[bool]string{true: "yes", false: "no"}[on]
	}
	if !slices.Contains(oneof, word) {
		return "", fmt.Errorf("is none of %s", strings.Join(oneof, ", "))
	}
	return word, nil
}

// parseInt reads a number that is not negative.
func parseInt(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, errors.New("is no number")
	}
	return int(n), nil
}

// parseOctal reads a file mode.
func parseOctal(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil {
		return 0, errors.New("is no octal mode")
	}
	return uint32(n), nil
}

// timeUnits are the suffixes of a time (sshd_config(5) TIME FORMATS), in
// seconds.
var timeUnits = map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}

// parseDuration reads a time: numbers with units (1h30m), a bare number in
// unit, or a word for none.
func parseDuration(s, unit string) (time.Duration, error) {
	if on, err := parseBool(s); unit == "ms" && err == nil {
		return map[bool]time.Duration{true: 20 * time.Millisecond}[on], nil
	}
	if s == "none" || s == "-1" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 31); err == nil && n >= 0 && unit == "ms" {
		return time.Duration(n) * time.Millisecond, nil
	}
	return parseTime(s)
}

// parseTime reads a time with units; a bare number counts seconds.
func parseTime(s string) (time.Duration, error) {
	bad := errors.New("is no time such as 30, 90s or 1h30m")
	var total int64
	for rest := s; ; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 31)
		if err != nil {
			return 0, bad
		}
		scale := int64(1)
		if digits < len(rest) {
			if scale = timeUnits[rest[digits]|0x20]; scale == 0 {
				return 0, bad
			}
			digits++
		}
		if total += n * scale; total > math.MaxInt32 {
			return 0, bad
		}
		if rest = rest[digits:]; rest == "" {
			return time.Duration(total) * time.Second, nil
		}
	}
}

// parseList reads a list by the way it is written. A sole "none" is nothing.
func parseList(values []string, kind string) []string {
	if kind == "comma" {
		return nonEmpty(strings.Split(values[0], ","))
	}
	if kind == "space" {
		values = strings.Fields(values[0])
	}
	if kind == "files" {
		return slices.Clone(values) // see Host.splitFiles
	}
	if len(values) == 1 && strings.EqualFold(values[0], "none") {
		return nil
	}
	return nonEmpty(values)
}

// nonEmpty returns the members of list that are not empty, nil for none.
func nonEmpty(list []string) []string {
	var some []string
	for _, s := range list {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}
