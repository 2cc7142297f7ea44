package hostconfig

import (
	"fmt"
	"strings"
	"unicode"
)

// Tokens are pasted into commands without quoting, so what may stand for one
// is restricted as OpenSSH restricts it since CVE-2023-51385: a shell must
// find neither an operator nor an option in it.

// checkHostName refuses a host name or alias that a shell would not read as
// one plain word.
func checkHostName(s string) error {
	if strings.HasPrefix(s, "-") {
		return fmt.Errorf("host name %q begins with a dash", s)
	}
	for _, r := range s {
		if strings.ContainsRune("'`\"$\\;&<>|(){},", r) || unicode.IsSpace(r) || unicode.IsControl(r) {
			return fmt.Errorf("host name %q holds the character %q, which a shell could run", s, r)
		}
	}
	return nil
}

// checkUserName refuses a user name with shell operators, a hidden option or
// an open escape. Backslash, space and $ may occur: DOMAIN\name, host accounts.
func checkUserName(s string) error {
	if strings.HasPrefix(s, "-") {
		return fmt.Errorf("user name %q begins with a dash", s)
	}
	for _, r := range s {
		if strings.ContainsRune("'`\";&<>|(){}", r) || unicode.IsControl(r) {
			return fmt.Errorf("user name %q holds the character %q, which a shell could run", s, r)
		}
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '-' && unicode.IsSpace(rune(s[i-1])) {
			return fmt.Errorf("user name %q holds an option after a space", s)
		}
	}
	if strings.HasSuffix(s, `\`) {
		return fmt.Errorf("user name %q ends in a backslash", s)
	}
	return nil
}
