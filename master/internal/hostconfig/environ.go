package hostconfig

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
)

// environ looks variables up in a list of NAME=value, where the last counts.
type environ []string

// lookup returns a variable's value and whether it is set.
func (e environ) lookup(name string) (string, bool) {
	for i := len(e) - 1; i >= 0; i-- {
		if n, v, ok := strings.Cut(e[i], "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// get returns a variable's value, "" when it is not set.
func (e environ) get(name string) string {
	v, _ := e.lookup(name)
	return v
}

// findSSH returns the path of the program name: as it stands when it holds a
// slash (seen from dir), else from PATH. The error is exec.ErrNotFound when
// there is no such program.
func (e environ) findSSH(name, dir string) (string, error) {
	if name == "" {
		name = "ssh"
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return executable(name)
	}
	for _, folder := range filepath.SplitList(e.get("PATH")) {
		if !filepath.IsAbs(folder) {
			continue // as exec does: a program of the folder is no accident we want
		}
		if path, err := executable(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// executable returns path when it can be run.
func executable(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return "", exec.ErrNotFound
	}
	return path, nil
}

// An account is who runs the program.
type account struct{ uid, name, home string }

// account returns who we are, as ssh finds it: in the password database, by
// uid. USER and HOME stand in for a user that is in none.
func (e environ) account() account {
	id := uid()
	if u, err := user.LookupId(id); err == nil {
		return account{id, u.Username, u.HomeDir}
	}
	return account{id, e.get("USER"), e.get("HOME")}
}
