package hostconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sshmaster/master/internal/pattern"
)

// own returns ssh-master's own options: the command line's, then the file's,
// then defaults.
func (x *surroundings) own() (Own, error) {
	given := x.given
	if path := x.ownFile(); path != "" {
		settings, err := ownSettings(path, x.dest.Host)
		if err != nil {
			return Own{}, err
		}
		given = append(given, settings...)
	}
	return ownFrom(given)
}

// ownFile returns the path of the own options' file, "" for none.
func (x *surroundings) ownFile() string {
	switch file := x.query.OwnFile; {
	case file == "none":
		return ""
	case file != "":
		return x.abs(file)
	}
	home := x.env.get("HOME")
	if home == "" {
		home = x.me.home
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".ssh", "master_config")
}

// ownSettings reads the blocks of path that match host. Everything in the file
// is checked, also what is for other hosts. A file that does not exist is
// empty.
func ownSettings(path, host string) ([]setting, error) {
	blocks, err := readBlocks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var given []setting
	for _, b := range blocks {
		if b.keyword == "match" {
			return nil, fmt.Errorf("hostconfig: %s: Match is not for this file: use Host", b.where())
		}
		for _, e := range b.entries {
			s, err := e.setting()
			if err != nil {
				return nil, err
			}
			if _, err := ownFrom([]setting{s}); err != nil {
				return nil, err
			}
			if b.keyword == "" || pattern.Any(b.args, host) {
				given = append(given, s)
			}
		}
	}
	return given, nil
}

// setting returns e with its value unquoted.
func (e entry) setting() (setting, error) {
	if _, ok := hostFields[canonical(e.key)]; ok || strings.EqualFold(e.key, "include") {
		return setting{}, fmt.Errorf("hostconfig: %s: %s belongs into ~/.ssh/config: this file holds ssh-master's own options only", e.where(), e.key)
	}
	words, err := splitWords(e.value, true)
	if err == nil && len(words) != 1 {
		err = errors.New("needs one value")
	}
	if err != nil {
		return setting{}, fmt.Errorf("hostconfig: %s: %s %w", e.where(), e.key, err)
	}
	return setting{e.key, words[0], e.where()}, nil
}
