package hostconfig

import (
	"fmt"
	"strings"
)

// valueOptions are ssh's options that take a value (10.6; older releases know
// fewer).
const valueOptions = "BDEFIJLOPQRSWbceilmopw"

// An arg is one of ssh's command line options.
type arg struct {
	opt   byte
	value string // of an option in valueOptions
}

// parseArgs takes ssh's options apart as getopt(3) does: clustered flags,
// values attached or apart.
func parseArgs(args []string) ([]arg, error) {
	var all []arg
	for i := 0; i < len(args); i++ {
		word := args[i]
		if len(word) < 2 || word[0] != '-' || word == "--" {
			return nil, fmt.Errorf("hostconfig: %s is no option of ssh", printable(word))
		}
		for at := 1; at < len(word); at++ {
			opt := word[at]
			if !strings.ContainsRune(valueOptions, rune(opt)) {
				all = append(all, arg{opt: opt})
				continue
			}
			value := word[at+1:]
			if value == "" {
				if i++; i == len(args) {
					return nil, fmt.Errorf("hostconfig: option -%c needs a value", opt)
				}
				value = args[i]
			}
			all = append(all, arg{opt, value})
			break
		}
	}
	return all, nil
}

// renderArgs is parseArgs undone, each option by itself.
func renderArgs(args []arg) []string {
	var words []string
	for _, a := range args {
		words = append(words, "-"+string(a.opt))
		if strings.ContainsRune(valueOptions, rune(a.opt)) {
			words = append(words, a.value)
		}
	}
	return words
}

// hasArg says whether the flag opt was given.
func hasArg(args []arg, opt byte) bool {
	for _, a := range args {
		if a.opt == opt {
			return true
		}
	}
	return false
}

// lastValue returns the value of the last opt, as ssh takes -F and -p; "" when
// there is none.
func lastValue(args []arg, opt byte) string {
	value := ""
	for _, a := range args {
		if a.opt == opt {
			value = a.value
		}
	}
	return value
}

// resolvable returns args as they can stand before -G: ssh's messages go to us
// and not to a log (-E, -y), and what refuses to do without a remote command
// (-f, -s) is told that there is no session, which holds for a master.
func resolvable(args []arg) []arg {
	var some []arg
	for _, a := range args {
		switch a.opt {
		case 'E', 'y', 's', 'G':
		default:
			some = append(some, a)
		}
	}
	if hasArg(args, 'f') && !hasArg(args, 'N') {
		some = append(some, arg{opt: 'N'})
	}
	return some
}

// splitOption takes the value of -o apart: "Keyword=value", "Keyword value" or
// with spaces around the equals sign, in the ways that ssh reads.
func splitOption(s string) (key, value string) {
	s = strings.TrimLeft(s, " \t")
	end := strings.IndexAny(s, " \t=")
	if end < 0 {
		return s, ""
	}
	value = strings.TrimLeft(s[end:], " \t")
	value = strings.TrimPrefix(value, "=")
	return s[:end], strings.TrimSpace(value)
}
