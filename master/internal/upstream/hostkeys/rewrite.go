package hostkeys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	// maxRewrite bounds a known_hosts file that is rewritten, in bytes.
	maxRewrite = 64 << 20

	// rewriteTries is how often a file is read again because somebody else wrote
	// to it meanwhile.
	rewriteTries = 5
)

var errWritten = errors.New("somebody else keeps writing to it")

// apply tells, or asks, and then rewrites the user's files: the first gets the
// keys, and all lose what else they hold for the host.
func (u *update) apply(ctx context.Context) error {
	if yes, err := u.agreed(ctx); !yes {
		return err
	}
	var failed error
	for i, path := range u.userFiles {
		keys := u.keys
		if i > 0 {
			keys = nil
		}
		if err := u.rewrite(path, keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("hostkeys: %s is left as it is: %w", path, err))
		}
	}
	return failed
}

// agreed reports the changes, and asks where the user wants that.
func (u *update) agreed(ctx context.Context) (bool, error) {
	var b strings.Builder
	for _, key := range u.fresh() {
		fmt.Fprintf(&b, "Learned new hostkey: %s %s\n", keyName(key), u.fingerprint(key))
	}
	for _, key := range u.old {
		fmt.Fprintf(&b, "Deprecating obsolete hostkey: %s %s\n", keyName(key), u.fingerprint(key))
	}
	if u.config.Update != UpdateAsk {
		for line := range strings.Lines(b.String()) {
			u.log.Info("hostkeys: " + strings.TrimSuffix(line, "\n"))
		}
		return true, nil
	}
	q := &inquiry{Checker: u.Checker, ctx: ctx}
	return q.confirm("The server has changed its host keys, and vouches for that with the known one.\n"+
		b.String()+"Accept updated hostkeys? (yes/no): ", "")
}

// rewrite replaces a file by one with the keys, and without the other plain keys
// of the host. The old file stays beside it with ".old" at its name. Both are
// left alone when nothing changes.
func (u *update) rewrite(path string, keys []ssh.PublicKey) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for range rewriteTries {
		if err = u.rewriteOnce(path, keys); !errors.Is(err, errWritten) {
			return err
		}
	}
	return err
}

func (u *update) rewriteOnce(path string, keys []ssh.PublicKey) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	text, changed := u.rewritten(data, keys)
	if !changed {
		return nil
	}
	temp, err := writeTemp(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if after, err := os.Stat(path); err != nil || !sameVersion(before, after) {
		return errors.Join(errWritten, err)
	}
	old := path + ".old"
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, old); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// rewritten returns the new text of a file. Comments, lines that cannot be read,
// lines with a marker and those of other hosts are kept byte by byte.
func (u *update) rewritten(data []byte, keys []ssh.PublicKey) (text []byte, changed bool) {
	has := make([][]bool, len(keys)) // for each key, the names that a kept line gives it
	for i := range has {
		has[i] = make([]bool, len(u.names))
	}
	var out bytes.Buffer
	for raw := range bytes.Lines(data) {
		if !u.retains(raw, keys, has) {
			changed = true
			continue
		}
		out.Write(raw)
		if raw[len(raw)-1] != '\n' {
			out.WriteByte('\n')
		}
	}
	for i, key := range keys {
		if missing := u.missing(has[i]); len(missing) > 0 {
			out.WriteString(u.entryLines(missing, key))
			changed = true
		}
	}
	return out.Bytes(), changed
}

// retains says whether a line stays, and notes in has what it holds.
func (u *update) retains(raw []byte, keys []ssh.PublicKey, has [][]bool) bool {
	if len(raw) > maxLine {
		return true
	}
	line, err := ParseLine(strings.TrimSuffix(string(raw), "\n"))
	if err != nil || line.Hosts == "" || line.Marker != NoMarker {
		return true
	}
	matched, err := line.matchAll(u.names)
	if err != nil || countTrue(matched) == 0 {
		return true
	}
	key, err := line.Key()
	if err != nil {
		return true
	}
	at := indexKey(keys, key)
	if at < 0 {
		return false
	}
	for i := range matched {
		has[at][i] = has[at][i] || matched[i]
	}
	return true
}

// missing returns the names without a line.
func (u *update) missing(has []bool) []string {
	var names []string
	for i, name := range u.names {
		if !has[i] {
			names = append(names, name)
		}
	}
	return names
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRewrite+1))
	if err == nil && len(data) > maxRewrite {
		err = fmt.Errorf("it has more than %d bytes", maxRewrite)
	}
	return data, err
}

// writeTemp writes a file beside path, with mode 0600, and returns its name.
func writeTemp(path string, text []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// sameVersion says whether a file was neither replaced nor written to.
func sameVersion(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
