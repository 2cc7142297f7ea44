package hostkeys

import (
	"bytes"
	"context"

	"golang.org/x/crypto/ssh"
)

// An origin is where a known key was found. It decides what may be written.
type origin int

const (
	fromUser    origin = iota // UserKnownHostsFile
	fromGlobal                // GlobalKnownHostsFile
	fromCommand               // KnownHostsCommand
)

// An entry is a line about the host with its key.
type entry struct {
	numbered
	key    ssh.PublicKey
	origin origin
}

// entries are all lines about one name, in the order of the files.
type entries []entry

// A status is what the known keys say of a key.
type status int

const (
	keyNew     status = iota // no key is known
	keyKnown                 // this key is known
	keyChanged               // only other keys are known
	keyRevoked               // the key, or the authority that signed it, is revoked
)

// find looks a plain key up, or the authority of a certificate. The entry is
// the one that decided; for a changed key it is the last one, as with ssh.
func (es entries) find(key ssh.PublicKey) (status, *entry) {
	if revoked := es.revokes(key); revoked != nil {
		return keyRevoked, revoked
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		for i := range es {
			if es[i].Marker == CertAuthority && sameKey(es[i].key, cert.SignatureKey) {
				return keyKnown, &es[i]
			}
		}
		return keyNew, nil
	}
	var other *entry
	for i := range es {
		if es[i].Marker != NoMarker {
			continue
		}
		if sameKey(es[i].key, key) {
			return keyKnown, &es[i]
		}
		other = &es[i]
	}
	if other != nil {
		return keyChanged, other
	}
	return keyNew, nil
}

// revokes returns the entry that revokes the key, its plain key, or the
// authority that signed it.
func (es entries) revokes(key ssh.PublicKey) *entry {
	cert, isCert := key.(*ssh.Certificate)
	for i := range es {
		if es[i].Marker != RevokedKey {
			continue
		}
		if sameKey(es[i].key, plainKey(key)) || isCert && sameKey(es[i].key, cert.SignatureKey) {
			return &es[i]
		}
	}
	return nil
}

// knows says whether an unrevoked plain key of this type is known.
func (es entries) knows(keyType string) bool {
	for i := range es {
		if es[i].Marker == NoMarker && es[i].key.Type() == keyType && es.revokes(es[i].key) == nil {
			return true
		}
	}
	return false
}

// hasAuthority says whether any line names a certificate authority.
func (es entries) hasAuthority() bool {
	for i := range es {
		if es[i].Marker == CertAuthority {
			return true
		}
	}
	return false
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// collector gathers the entries of several names in one pass over a file.
type collector struct {
	c      *Checker
	names  []string
	found  []entries // by name
	origin origin
}

// visit adds the line to the entries of each name that it matches.
func (col *collector) visit(line numbered) {
	var key ssh.PublicKey
	for i, name := range col.names {
		if name == "" {
			continue
		}
		matches, err := line.Matches(name)
		if err == nil && matches && key == nil {
			key, err = line.Key()
		}
		if err != nil {
			col.c.log.Debug("hostkeys: line skipped", "file", line.file, "line", line.number, "error", err)
			return
		}
		if matches {
			col.found[i] = append(col.found[i], entry{line, key, col.origin})
		}
	}
}

// load reads the user's files, then the global ones, and returns what they say
// of each name. An empty name has no entries.
func (c *Checker) load(ctx context.Context, names ...string) ([]entries, error) {
	col := &collector{c: c, names: names, found: make([]entries, len(names))}
	for _, path := range c.userFiles {
		if err := c.scanFile(ctx, path, col.visit); err != nil {
			return nil, err
		}
	}
	col.origin = fromGlobal
	for _, path := range c.globalFiles {
		if err := c.scanFile(ctx, path, col.visit); err != nil {
			return nil, err
		}
	}
	return col.found, nil
}
