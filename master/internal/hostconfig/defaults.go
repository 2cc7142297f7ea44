package hostconfig

import _ "embed"

// defaultsText is what ssh 10.6 -F none -G prints, without the lines that are
// the host's own.
//
//go:embed openssh_defaults.txt
var defaultsText string

// openSSHDefaults returns OpenSSH's own defaults, by lower-case keyword as
// `ssh -G` prints them. The map is the caller's.
func openSSHDefaults() map[string][]string {
	raw, err := splitLines(defaultsText)
	if err != nil {
		panic("hostconfig: " + err.Error())
	}
	return raw
}
