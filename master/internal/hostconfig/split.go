package hostconfig

import (
	"fmt"
	"strings"
)

// maxOutput bounds what is read of `ssh -G`; the richest real output is a
// hundredth of it.
const maxOutput = 4 << 20

// splitLines reads the output of `ssh -G`: a keyword in any case, one space,
// the value up to the end of the line. Values are not quoted and may hold
// anything, # and quotes included. The order of one keyword's values is kept.
func splitLines(out string) (map[string][]string, error) {
	raw := make(map[string][]string)
	for n, line := range strings.Split(out, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		if !isKeyword(key) {
			return nil, fmt.Errorf("line %d of ssh -G is no keyword and value: %s", n+1, printable(line))
		}
		key = strings.ToLower(key)
		raw[key] = append(raw[key], value)
	}
	return raw, nil
}

// isKeyword says whether s can be an ssh_config keyword: letters and digits.
func isKeyword(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}

// printable is s for a message: quoted, shortened, no control characters.
func printable(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", s)
}
