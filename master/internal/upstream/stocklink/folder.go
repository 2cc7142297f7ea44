package stocklink

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxFolder is how long the name of the private folder may be: OpenSSH's master
// binds its socket under a name 17 characters longer, and sun_path holds 104 on
// some systems.
const maxFolder = 80

// privateFolder makes a folder that only we can enter (0700), where sockets fit:
// below the first of XDG_RUNTIME_DIR, TMPDIR and /tmp that will do.
func privateFolder(env []string) (string, error) {
	var last error
	for _, base := range []string{getenv(env, "XDG_RUNTIME_DIR"), getenv(env, "TMPDIR"), "/tmp"} {
		if !fit(base) {
			continue
		}
		dir, err := os.MkdirTemp(base, "ssh-master-")
		if err == nil && len(dir) <= maxFolder {
			return dir, nil
		}
		if err == nil {
			_ = os.Remove(dir)
			continue
		}
		last = err
	}
	return "", fmt.Errorf("no folder for the socket of ssh: %w", last)
}

// fit says whether base can stand in a ControlPath, where ssh expands % and $.
func fit(base string) bool {
	return filepath.IsAbs(base) && len(base) < maxFolder && !strings.ContainsFunc(base, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("%$~\"'\\", r)
	})
}

// getenv returns the value of a variable, of several the last.
func getenv(env []string, name string) string {
	value := ""
	for _, pair := range env {
		if key, v, _ := strings.Cut(pair, "="); key == name {
			value = v
		}
	}
	return value
}
