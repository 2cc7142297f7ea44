package hostkeys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// add writes a new key for the host, and for its address where that is new too.
// A file that cannot be written is worth a warning, not the connection.
func (q *inquiry) add(ipStatus status) bool {
	names := []string{q.name()}
	if q.ip != "" && ipStatus == keyNew {
		names = append(names, q.ip)
	}
	path := q.userFiles[0]
	if err := q.appendKey(path, names, q.key); err != nil {
		q.notify("Failed to add the host to the list of known hosts (%s): %s", printable(path), printable(err.Error()))
		return false
	}
	q.notify("Warning: Permanently added '%s' (%s) to the list of known hosts.",
		printable(strings.Join(names, ",")), keyName(q.key))
	return true
}

// addAddress writes the key for the address of a known host.
func (q *inquiry) addAddress(host *entry) {
	name, key := printable(q.ip), keyName(q.key)
	if host.origin == fromCommand || len(q.userFiles) == 0 || !q.recordable() {
		q.notify("%s host key for IP address '%s' not in list of known hosts.", key, name)
		return
	}
	path := q.userFiles[0]
	if err := q.appendKey(path, []string{q.ip}, q.key); err != nil {
		q.notify("Failed to add the %s host key for IP address '%s' to the list of known hosts (%s): %s",
			key, name, printable(path), printable(err.Error()))
		return
	}
	q.notify("Warning: Permanently added the %s host key for IP address '%s' to the list of known hosts.", key, name)
}

// entryLines returns the text to write for a key: one line, or a line for each
// name where names are hashed.
func (c *Checker) entryLines(names []string, key ssh.PublicKey) string {
	if !c.config.Hash {
		return formatLine(strings.Join(names, ","), key) + "\n"
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(formatLine(hashName(name), key) + "\n")
	}
	return b.String()
}

// appendKey adds a key to a file, in one write at its end, so that others may do
// the same at the same time.
func (c *Checker) appendKey(path string, names []string, key ssh.PublicKey) error {
	if err := c.makeFolder(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	text := c.entryLines(names, key)
	if lacksNewline(f) {
		text = "\n" + text
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// lacksNewline says whether the last line of a regular file is not ended.
func lacksNewline(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// makeFolder makes ~/.ssh where the file belongs there.
func (c *Checker) makeFolder(path string) error {
	if c.config.Home == "" {
		return nil
	}
	folder := filepath.Join(c.config.Home, ".ssh")
	if !strings.HasPrefix(path, folder+string(filepath.Separator)) {
		return nil
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
