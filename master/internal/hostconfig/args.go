package hostconfig

import (
	"fmt"
	"strings"
)

// valueOptions are ssh's options that take a value (10.6; older releases know
// fewer).
const valueOptions = "BDEFIJLOPQRSWbceilmopw"

// An Option is one of ssh(1)'s command line.
type Option struct {
	Letter byte
	Value  string // of an option in valueOptions
}

// Keyword is what -o sets: the keyword in lower case and its value without quotes,
// "" for other options.
func (o Option) Keyword() (key, value string) {
	if o.Letter != 'o' {
		return "", ""
	}
	key, value = splitOption(o.Value)
	return strings.ToLower(key), strings.Trim(value, `"`)
}

// Options takes ssh's options apart as getopt(3) does: clustered flags,
// values attached or apart.
func Options(args []string) ([]Option, error) {
	var all []Option
	for i := 0; i < len(args); i++ {
		word := args[i]
		if len(word) < 2 || word[0] != '-' || word == "--" {
			return nil, fmt.Errorf("hostconfig: %s is no option of ssh", printable(word))
		}
		for at := 1; at < len(word); at++ {
			opt := word[at]
			if !strings.ContainsRune(valueOptions, rune(opt)) {
				all = append(all, Option{Letter: opt})
				continue
			}
			value := word[at+1:]
			if value == "" {
				if i++; i == len(args) {
					return nil, fmt.Errorf("hostconfig: option -%c needs a value", opt)
				}
				value = args[i]
			}
			all = append(all, Option{opt, value})
			break
		}
	}
	return all, nil
}

// Words is [Options] undone, each option by itself.
func Words(args []Option) []string {
	var words []string
	for _, a := range args {
		words = append(words, "-"+string(a.Letter))
		if strings.ContainsRune(valueOptions, rune(a.Letter)) {
			words = append(words, a.Value)
		}
	}
	return words
}

// hasArg says whether the flag opt was given.
func hasArg(args []Option, opt byte) bool {
	for _, a := range args {
		if a.Letter == opt {
			return true
		}
	}
	return false
}

// lastValue returns the value of the last opt, as ssh takes -F and -p; "" when
// there is none.
func lastValue(args []Option, opt byte) string {
	value := ""
	for _, a := range args {
		if a.Letter == opt {
			value = a.Value
		}
	}
	return value
}

// resolvable returns args as they can stand before -G: ssh's messages go to us
// and not to a log (-E, -y), and what refuses to do without a remote command
// (-f, -s) is told that there is no session, which holds for a master.
func resolvable(args []Option) []Option {
	var some []Option
	for _, a := range args {
		switch a.Letter {
		case 'E', 'y', 's', 'G':
		default:
			some = append(some, a)
		}
	}
	if hasArg(args, 'f') && !hasArg(args, 'N') {
		some = append(some, Option{Letter: 'N'})
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
