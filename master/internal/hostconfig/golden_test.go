package hostconfig_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// update makes testdata anew: go test -run Golden -update -roots DIR, as root,
// where DIR holds a debootstrap'd root with openssh-client for each of
// releases (bullseye, bookworm, trixie and sid).
var (
	update = flag.Bool("update", false, "ask each release's ssh anew for testdata")
	roots  = flag.String("roots", "/var/tmp/roots", "folder of the roots of the releases")
)

// releases are the OpenSSH releases whose output is kept.
var releases = []string{"8.4", "9.2", "10.0", "10.6"}

// cases are the kept runs of ssh -G: arguments after -G.
var cases = map[string][]string{
	"none": {"-F", "none", "--", "x"},
	"rich": {"-F", "/tmp/rich.conf", "--", "rich"},
	"jump": {"-F", "/tmp/rich.conf", "--", "jump"},
}

// golden returns what a release prints for a case.
func golden(t testing.TB, release, name string) string {
	t.Helper()
	out, err := os.ReadFile(filepath.Join("testdata", release, name+".txt"))
	require.NoError(t, err)
	return string(out)
}

// TestGoldenUpdate asks each release. The machine's name and the environment
// are set, the user is root: what is kept is the same wherever it was made.
func TestGoldenUpdate(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	rich, err := os.ReadFile("testdata/rich.conf")
	require.NoError(t, err)
	for _, release := range releases {
		root := filepath.Join(*roots, release)
		require.NoError(t, os.WriteFile(filepath.Join(root, "tmp", "rich.conf"), rich, 0o644))
		require.NoError(t, os.MkdirAll(filepath.Join("testdata", release), 0o755))
		for name, args := range cases {
			const named = `hostname workstation && exec chroot "$0" ssh -G "$@"`
			cmd := exec.Command("unshare", append([]string{"--uts", "sh", "-c", named, root}, args...)...)
			cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"}
			var out, said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &said
			require.NoError(t, cmd.Run(), "%s %s: %s", release, name, said.String())
			require.NoError(t, os.WriteFile(filepath.Join("testdata", release, name+".txt"), out.Bytes(), 0o644))
		}
	}
}
