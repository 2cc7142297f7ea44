package hostconfig

import (
	"fmt"
	"strings"
)

// An Option is one of the options of ssh(1)'s command line.
type Option struct {
	Letter byte
	Value  string // of an option that takes one
}

// Keyword is what -o sets: the keyword in lower case and its value, "" for other
// options.
func (o Option) Keyword() (key, value string) {
	if o.Letter != 'o' {
		return "", ""
	}
	key, value = splitOption(o.Value)
	return strings.ToLower(key), value
}

// Options takes ssh's options apart, clustered or not.
func Options(args []string) ([]Option, error) {
	parsed, err := parseArgs(args)
	if err != nil {
		return nil, err
	}
	all := make([]Option, len(parsed))
	for i, a := range parsed {
		all[i] = Option{a.opt, a.value}
	}
	return all, nil
}

// Words is [Options] undone, each option by itself.
func Words(options []Option) []string {
	args := make([]arg, len(options))
	for i, o := range options {
		args[i] = arg{o.Letter, o.Value}
	}
	return renderArgs(args)
}

// CommandLine takes a command line of ssh's, without the program, apart: options,
// which may stand on both sides of the destination, and the destination. What
// follows is the command, and none of it an option.
func CommandLine(words []string) (options []Option, destination string, err error) {
	for len(words) > 0 {
		word := words[0]
		switch {
		case word == "--":
			words = words[1:]
			if destination == "" && len(words) > 0 {
				destination = words[0]
			}
			return options, destination, lacking(destination)
		case len(word) > 1 && word[0] == '-':
			n := 1
			if takesNext(word) {
				n = min(2, len(words))
			}
			some, err := Options(words[:n])
			if err != nil {
				return nil, "", err
			}
			options, words = append(options, some...), words[n:]
		case destination == "":
			destination, words = word, words[1:]
		default:
			return options, destination, nil
		}
	}
	return options, destination, lacking(destination)
}

// takesNext says whether the last option of a cluster has its value in the next
// word.
func takesNext(word string) bool {
	at := strings.IndexAny(word[1:], valueOptions)
	return at >= 0 && at == len(word)-2
}

func lacking(destination string) error {
	if destination == "" {
		return fmt.Errorf("hostconfig: no destination")
	}
	return nil
}
