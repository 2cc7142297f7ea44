package hostconfig_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// own resolves x with own options from a file and a command line.
func own(t *testing.T, text string, args ...string) (hostconfig.Own, error) {
	t.Helper()
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: script(t, `case "$*" in *[Ss]lave*) echo "own option seen by ssh" >&2; exit 255 ;; esac; echo hostname x`), Destination: "bob@Web-1", Args: args,
		OwnFile: file(t, "master_config", text),
	})
	if err != nil {
		return hostconfig.Own{}, err
	}
	return h.Own, nil
}

func TestOwnOptions(t *testing.T) {
	for _, c := range []struct {
		name, text string
		args       []string
		want       time.Duration
	}{
		{"default", "", nil, 10 * time.Second},
		{"-o apart", "", []string{"-o", "SlaveTimeout=5"}, 5 * time.Second},
		{"-o attached and blank", "", []string{"-vvoslavetimeout 1m"}, time.Minute},
		{"-o spaces", "", []string{"-o", "SlaveTimeout = 7s", "-p", "22"}, 7 * time.Second},
		{"first of the command line", "", []string{"-oSlaveTimeout=5", "-oSlaveTimeout=6"}, 5 * time.Second},
		{"global", "SlaveTimeout 20", nil, 20 * time.Second},
		{"command line first", "SlaveTimeout 20", []string{"-oSlaveTimeout=5"}, 5 * time.Second},
		{"first block that matches", "Host db*\n SlaveTimeout 1\nHost Web-?\n SLAVETIMEOUT=\"2\" # two\nHost *\n SlaveTimeout 3", nil, 2 * time.Second},
		{"one character each", "Host Web-1?\n SlaveTimeout 1\nHost *\n SlaveTimeout 3", nil, 3 * time.Second},
		{"negated", "Host !Web-1 *\n SlaveTimeout 1\nHost \"Web-1\" x\n\tSlaveTimeout 4", nil, 4 * time.Second},
		{"the case of a host counts", "Host web-1\n SlaveTimeout 1", nil, 10 * time.Second},
		{"comments and CRLF", "# one\r\n\r\nHost *\r\n  # two\r\n  SlaveTimeout 8\r\n", nil, 8 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := own(t, c.text, c.args...)
			require.NoError(t, err)
			require.Equal(t, c.want, got.SlaveTimeout)
		})
	}
}

func TestOwnOptionErrors(t *testing.T) {
	for text, says := range map[string]string{
		"# x\nSlaveTimout 5":                     `master_config:2: "SlaveTimout" is no option of ssh-master`,
		"Host other\n\n  MaxLimbs 4":             `master_config:3: "MaxLimbs" is no option of ssh-master`,
		"Host other\n  SlaveTimeout soon":        `master_config:2: SlaveTimeout "soon" is no time`,
		"SlaveTimeout 5\nSlaveTimeout x":         `master_config:2: SlaveTimeout "x"`,
		"User bob":                               `master_config:1: User belongs into ~/.ssh/config`,
		"Include more":                           `master_config:1: Include belongs into ~/.ssh/config`,
		"Match host x\n SlaveTimeout 1":          `master_config:1: Match is not for this file`,
		"SlaveTimeout":                           `master_config:1: SlaveTimeout needs one value`,
		"SlaveTimeout 1 2":                       `master_config:1: SlaveTimeout needs one value`,
		"SlaveTimeout \"1":                       `master_config:1: SlaveTimeout has a quote that does not end`,
		"Host \"x":                               `master_config:1: Host has a quote that does not end`,
		"\x1b[2J 1":                              `master_config:1: "\x1b[2J" is no keyword`,
		"Host x\nSlaveTimeout 1\n<<<<<<< HEAD\n": `master_config:3: "<<<<<<<" is no keyword`,
	} {
		_, err := own(t, text)
		require.ErrorContains(t, err, says, text)
	}
	_, err := own(t, "", "-oSlaveTimeout=never")
	require.ErrorContains(t, err, `-o: SlaveTimeout "never" is no time`)
}

func TestOwnFileOfHOME(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".ssh", "master_config")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	q := hostconfig.Query{SSH: script(t, "echo hostname x"), Destination: "x", Env: []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}}
	h, err := hostconfig.Resolve(context.Background(), q)
	require.NoError(t, err, "no file is no error")
	require.Equal(t, 10*time.Second, h.Own.SlaveTimeout)

	require.NoError(t, os.WriteFile(path, []byte("SlaveTimeout 3"), 0o600))
	h, err = hostconfig.Resolve(context.Background(), q)
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, h.Own.SlaveTimeout)

	require.NoError(t, os.Chmod(path, 0o622))
	_, err = hostconfig.Resolve(context.Background(), q)
	require.ErrorContains(t, err, path+" can be written by others")
}

func TestOwnOptionsAreDocumented(t *testing.T) {
	all := hostconfig.OwnOptions()
	require.Len(t, all, reflect.TypeFor[hostconfig.Own]().NumField())
	for _, o := range all {
		require.NotEmpty(t, o.Keyword)
		require.NotEmpty(t, o.Type, o.Keyword)
		require.NotEmpty(t, o.Default, o.Keyword)
		require.Regexp(t, `^[a-z].*[^.]$`, o.Doc, o.Keyword)
	}
	require.Equal(t, hostconfig.OwnOption{Keyword: "SlaveTimeout", Type: "time", Default: "10s",
		Doc: "how long a slave may take to hand over what its request announced"}, all[0])
}
