package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds what is read of a key file, in bytes.
const maxKeyFile = 1 << 20

// errPermissions says that others can read a private key.
var errPermissions = errors.New("bad permissions")

// readFile reads a whole regular file. A pipe or a device is refused, because
// opening one may wait for ever.
func readFile(path string) ([]byte, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxKeyFile {
		clear(data)
		return nil, nil, fmt.Errorf("%s is too long for a key", path)
	}
	return data, info, nil
}

// loadPublic finds the public half of the key in the file at path, where ssh
// looks for it: the file may be a public key itself, have a .pub neighbour, or
// carry the public half in the open. comment is "" where the place has none.
func loadPublic(path string) (public ssh.PublicKey, comment string, err error) {
	for _, place := range []string{path, path + ".pub"} {
		if public, comment, err := readPublic(place); err == nil {
			return public, comment, nil
		}
	}
	data, _, err := readFile(path)
	if err != nil {
		return nil, "", err
	}
	defer clear(data)
	public, err = opensshPublic(data)
	return public, "", err
}

// readPublic reads a file that holds a public key or a certificate.
func readPublic(path string) (public ssh.PublicKey, comment string, err error) {
	data, _, err := readFile(path)
	if err != nil {
		return nil, "", err
	}
	defer clear(data)
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil, "", fmt.Errorf("%s is a private key", path)
	}
	public, comment, _, _, err = ssh.ParseAuthorizedKey(data)
	return public, comment, err
}

// readPrivate reads a file with a private key. As ssh does, it refuses one of
// the user's own that others can read.
func readPrivate(path string) ([]byte, error) {
	data, info, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if ownedByUs(info) && info.Mode().Perm()&0o077 != 0 {
		clear(data)
		return nil, fmt.Errorf("permissions %04o for %s are too open: %w", info.Mode().Perm(), path, errPermissions)
	}
	return data, nil
}

// expandHome replaces a leading "~/".
func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return path
}
