package hostkeys

import (
	"context"
	"strings"

	"golang.org/x/crypto/ssh"
)

// An update compares the announced keys with the user's files.
type update struct {
	*Checker
	names []string        // the host's name, and its address under CheckHostIP
	keys  []ssh.PublicKey // announced, and worth having
	match []int           // for each key, how many of the names know it
	old   []ssh.PublicKey // known for the host, and not announced

	// Reasons to leave the files alone.
	arranged  bool // markers, patterns or lists of names for the host
	elsewhere bool // an announced or an old key belongs to another name, too
}

// compare reads the user's files: once for the announced keys, and again for
// the old ones where there are any.
func (u *update) compare(ctx context.Context) error {
	u.match = make([]int, len(u.keys))
	if err := u.scanUser(ctx, u.compareLine); err != nil || len(u.old) == 0 {
		return err
	}
	return u.scanUser(ctx, func(line numbered, matched []bool, key ssh.PublicKey) {
		if countTrue(matched) == 0 && indexKey(u.old, key) >= 0 {
			u.elsewhere = true
		}
	})
}

// scanUser calls visit for each line of the user's files that holds a key, with
// which of the names it matches.
func (u *update) scanUser(ctx context.Context, visit func(line numbered, matched []bool, key ssh.PublicKey)) error {
	for _, path := range u.userFiles {
		err := u.scanFile(ctx, path, func(line numbered) {
			matched, err := line.matchAll(u.names)
			if err != nil {
				return
			}
			if key, err := line.Key(); err == nil {
				visit(line, matched, key)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *update) compareLine(line numbered, matched []bool, key ssh.PublicKey) {
	at := indexKey(u.keys, key)
	switch {
	case countTrue(matched) == 0:
		u.elsewhere = u.elsewhere || at >= 0
		return
	case line.Marker != NoMarker:
		u.arranged = true
		return
	case len(u.names) > 1 && strings.Contains(line.Hosts, ",") && countTrue(matched) < len(u.names):
		u.elsewhere = true
	}
	switch {
	case strings.ContainsAny(line.Hosts, "*?!") || strings.Count(line.Hosts, ",") > 1:
		u.arranged = true
	case at >= 0:
		u.match[at] += countTrue(matched)
	default:
		u.old = append(u.old, key)
	}
}

// proceed says whether there is anything to do that may be done.
func (u *update) proceed() bool {
	switch {
	case len(u.old) == 0 && len(u.fresh()) == 0:
		return false
	case u.arranged:
		u.log.Debug("hostkeys: known_hosts has markers or patterns for the host, no update")
		return false
	case u.elsewhere:
		u.log.Debug("hostkeys: a key of the host is known under another name, no update")
		return false
	}
	return true
}

// fresh returns the keys that no file knows for the host.
func (u *update) fresh() []ssh.PublicKey {
	var fresh []ssh.PublicKey
	for i, key := range u.keys {
		if u.match[i] == 0 {
			fresh = append(fresh, key)
		}
	}
	return fresh
}

// drop forgets the fresh keys that were not proved.
func (u *update) drop(fresh, proved []ssh.PublicKey) {
	var keys []ssh.PublicKey
	var match []int
	for i, key := range u.keys {
		if indexKey(fresh, key) >= 0 && indexKey(proved, key) < 0 {
			continue
		}
		keys, match = append(keys, key), append(match, u.match[i])
	}
	u.keys, u.match = keys, match
}

// matchAll matches the line against each name.
func (l Line) matchAll(names []string) ([]bool, error) {
	matched := make([]bool, len(names))
	for i, name := range names {
		var err error
		if matched[i], err = l.Matches(name); err != nil {
			return nil, err
		}
	}
	return matched, nil
}

func countTrue(flags []bool) int {
	n := 0
	for _, flag := range flags {
		if flag {
			n++
		}
	}
	return n
}

// indexKey returns the place of a key in a list, or -1.
func indexKey(keys []ssh.PublicKey, key ssh.PublicKey) int {
	for i := range keys {
		if sameKey(keys[i], key) {
			return i
		}
	}
	return -1
}
