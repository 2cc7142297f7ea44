package hostconfig_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// As ssh's own getopt(3) reads it: options on both sides of the destination, none after the command has begun.
func TestCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"host":                             " | host",
		"-p 22 host":                       "-p 22 | host",
		"-Tnp22 host":                      "-T -n -p 22 | host",
		"-Tnp 22 host":                     "-T -n -p 22 | host",
		"host -p 22":                       "-p 22 | host",
		"-v host -A ls -l":                 "-v -A | host",
		"-v host ls -p 1":                  "-v | host",
		"-v -- host -p 22":                 "-v | host",
		"host -- -p 22":                    " | host",
		"-oControlPath=/x -x me@host sftp": "-o ControlPath=/x -x | me@host",
		"-s ssh://me@host:22 sftp":         "-s | ssh://me@host:22",
		"-Wh:1 -- host":                    "-W h:1 | host",
		"-4oUser=x host":                   "-4 -o User=x | host",
	} {
		options, destination, err := hostconfig.CommandLine(strings.Fields(line))
		require.NoError(t, err, line)
		require.Equal(t, want, strings.Join(hostconfig.Words(options), " ")+" | "+destination, line)
	}
	for _, line := range []string{"", "-v", "-p", "--", "-p 22", "-v --"} {
		_, _, err := hostconfig.CommandLine(strings.Fields(line))
		require.Error(t, err, line)
	}
}

func TestKeyword(t *testing.T) {
	for value, want := range map[string]string{
		"ControlPath=/x": "controlpath /x", "controlpath  /x": "controlpath /x", "ControlPath = /x": "controlpath /x", "BatchMode": "batchmode ", `BatchMode "yes"`: "batchmode yes",
	} {
		key, value := hostconfig.Option{Letter: 'o', Value: value}.Keyword()
		require.Equal(t, want, key+" "+value)
	}
	key, _ := hostconfig.Option{Letter: 'S', Value: "/x"}.Keyword()
	require.Empty(t, key)
}
