package hostconfig_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// FuzzSplitLines: whatever is read, printed again line by line, reads the same.
func FuzzSplitLines(f *testing.F) {
	for _, release := range releases {
		for name := range cases {
			f.Add(golden(f, release, name))
		}
	}
	f.Add("key\n")
	f.Add("a b c\r\n\nA d\n")
	f.Add("\x00 x\n")
	f.Fuzz(func(t *testing.T, out string) {
		raw, err := hostconfig.SplitLines(out)
		if err != nil {
			return
		}
		var again strings.Builder
		for key, values := range raw {
			require.Equal(t, strings.ToLower(key), key)
			for _, v := range values {
				require.NotContains(t, v, "\n")
				again.WriteString(key + " " + v + "\n")
			}
		}
		second, err := hostconfig.SplitLines(again.String())
		require.NoError(t, err)
		for key, values := range raw {
			require.Len(t, second[key], len(values))
		}
	})
}

// FuzzExpand: what was put in is not expanded again, and nothing else changes.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"%h", "%%h", "%r@%h ${V}", "${", "${}", "%", "%z", "${W}", "$V", "%h%%${V}"} {
		f.Add(s, "host", "user", "variable")
		f.Add(s, "%r", "%h", "${V}%h")
	}
	f.Fuzz(func(t *testing.T, s, host, user, variable string) {
		got, err := hostconfig.Expand(s, host, user, variable)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		if !strings.ContainsAny(s, "%$") {
			require.Equal(t, s, got)
		}
		// The same with marks in place of the values tells how long it must be.
		marked, err := hostconfig.Expand(s, "\x00", "\x01", "\x02")
		if err != nil {
			return
		}
		if !strings.ContainsAny(s, "\x00\x01\x02") {
			marked = strings.NewReplacer("\x00", host, "\x01", user, "\x02", variable).Replace(marked)
			require.Equal(t, marked, got)
		}
	})
}

// FuzzShellCommand: a name that is let through is one word to sh.
func FuzzShellCommand(f *testing.F) {
	for _, s := range []string{"host", "a;b", "$(id)", "`id`", "-o", "a b", "fe80::1%eth0", "x\ny", "a*", "~root", "#x", "ä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		line, err := hostconfig.ShellCommand("set -f; set -- x%h; echo $#", host, "user")
		if err != nil || !plainText(line) {
			return
		}
		out, err := exec.Command("sh", "-c", line).Output()
		require.NoError(t, err, line)
		require.Equal(t, "1\n", string(out), line)
	})
}

// plainText says whether sh and this test mean the same characters.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
