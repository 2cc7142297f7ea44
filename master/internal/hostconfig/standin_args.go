package hostconfig

import (
	"fmt"
	"strings"
)

// flagKeywords says which keyword each flag of ssh stands for, with its value;
// "" takes the flag's own.
var flagKeywords = map[byte][]struct{ key, value string }{
	'4': {{"addressfamily", "inet"}},
	'6': {{"addressfamily", "inet6"}},
	'A': {{"forwardagent", "yes"}},
	'a': {{"forwardagent", "no"}},
	'B': {{"bindinterface", ""}},
	'b': {{"bindaddress", ""}},
	'C': {{"compression", "yes"}},
	'c': {{"ciphers", ""}},
	'D': {{"dynamicforward", ""}},
	'e': {{"escapechar", ""}},
	'f': {{"forkafterauthentication", "yes"}, {"stdinnull", "yes"}},
	'g': {{"gatewayports", "yes"}},
	'I': {{"pkcs11provider", ""}},
	'i': {{"identityfile", ""}},
	'J': {{"proxyjump", ""}},
	'K': {{"gssapiauthentication", "yes"}, {"gssapidelegatecredentials", "yes"}},
	'k': {{"gssapidelegatecredentials", "no"}},
	'L': {{"localforward", ""}},
	'l': {{"user", ""}},
	'M': {{"controlmaster", "yes"}},
	'm': {{"macs", ""}},
	'N': {{"sessiontype", "none"}},
	'n': {{"stdinnull", "yes"}},
	'P': {{"tag", ""}},
	'p': {{"port", ""}},
	'q': {{"loglevel", "QUIET"}},
	'R': {{"remoteforward", ""}},
	'S': {{"controlpath", ""}},
	's': {{"sessiontype", "subsystem"}},
	'T': {{"requesttty", "no"}},
	'v': {{"loglevel", "DEBUG"}},
	'W': {{"clearallforwardings", "yes"}, {"exitonforwardfailure", "yes"}, {"sessiontype", "none"}},
	'w': {{"tunneldevice", ""}, {"tunnel", "yes"}},
	'X': {{"forwardx11", "yes"}},
	'x': {{"forwardx11", "no"}},
	'Y': {{"forwardx11", "yes"}, {"forwardx11trusted", "yes"}},
}

// readArgs takes the command line, which counts before the files.
func (r *reader) readArgs() error {
	if r.dest.User != "" {
		r.raw["user"] = []string{r.dest.User}
	}
	if r.dest.Port != 0 {
		r.raw["port"] = []string{fmt.Sprint(r.dest.Port)}
	}
	for _, a := range r.args {
		if a.Letter == 'o' {
			e := entry{position: position{file: "-o", line: 0}}
			e.key, e.value = splitOption(a.Value)
			if err := r.readEntry(e); err != nil {
				return err
			}
			continue
		}
		for _, k := range flagKeywords[a.Letter] {
			value := k.value
			if value == "" {
				value = a.Value
			}
			if a.Letter == 'i' && !r.exists(value) {
				r.warn("identity file %s of -i does not exist", value)
				continue
			}
			if err := r.add(k.key, []string{value}); err != nil {
				return fmt.Errorf("hostconfig: -%c %s %w", a.Letter, printable(a.Value), err)
			}
		}
	}
	r.verbosity()
	return nil
}

// verbosity counts -v and -t, which mean more when given more than once.
func (r *reader) verbosity() {
	given := string(flags(r.args))
	if n := strings.Count(given, "v"); n > 1 && !strings.Contains(given, "q") {
		r.raw["loglevel"] = []string{fmt.Sprintf("DEBUG%d", min(n, 3))}
	}
	if n := strings.Count(given, "t"); n > 0 {
		r.raw["requesttty"] = []string{[]string{"yes", "force"}[min(n, 2)-1]}
	}
}

// flags returns the letters of args.
func flags(args []Option) []byte {
	var letters []byte
	for _, a := range args {
		letters = append(letters, a.Letter)
	}
	return letters
}
