package pattern_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/pattern"
)

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"a", "a", true}, {"a", "A", false},
		{"*", "", true}, {"*", "abc", true}, {"?", "", false}, {"?", "a", true}, {"?", "ab", false},
		{"LC_*", "LC_ALL", true}, {"LC_*", "LC", false}, {"*.example.org", "a.b.example.org", true},
		{"*a*b*", "xaybz", true}, {"*a*b*", "xbya", false}, {"a**c", "abc", true}, {"[a]", "a", false},
	} {
		require.Equal(t, tc.want, pattern.Match(tc.pattern, tc.name), "%q against %q", tc.pattern, tc.name)
	}
	require.False(t, pattern.Match(strings.Repeat("*a", 500), strings.Repeat("a", 499)+"b"))
}

func TestAny(t *testing.T) {
	require.True(t, pattern.Any([]string{"b", "a*"}, "abc"))
	require.False(t, pattern.Any([]string{"a*", "!abc"}, "abc"))
	require.False(t, pattern.Any([]string{"!b"}, "abc"))
	require.False(t, pattern.Any(nil, "abc"))
}
