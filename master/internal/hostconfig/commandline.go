package hostconfig

import (
	"fmt"
	"strings"
)

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
