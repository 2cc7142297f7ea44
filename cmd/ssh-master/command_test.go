package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
)

func TestCommandLine(t *testing.T) {
	for _, tc := range []struct {
		line string
		want command
	}{
		{"host", command{destination: "host"}},
		{"-Nn2 -MS/tmp/ctl -F cfg -oSendEnv=X somehost -E log", command{
			destination: "somehost", socket: "/tmp/ctl", logFile: "log",
			sshArgs: []string{"-N", "-n", "-M", "-S", "/tmp/ctl", "-F", "cfg", "-o", "SendEnv=X"},
		}},
		{"-p 2222 -l me host -p 23", command{
			destination: "host", sshArgs: []string{"-p", "2222", "-l", "me", "-p", "23"},
		}},
		{"ssh://me@host:22 -46AaXxYyCgKk", command{
			destination: "ssh://me@host:22", syslog: true,
			sshArgs: []string{"-4", "-6", "-A", "-a", "-X", "-x", "-Y", "-C", "-g", "-K", "-k"},
		}},
		{"-L8080:a:80 -R 0:b:81 -D1080 -J x,y -b 127.0.0.1 -B lo -c aes -m mac -i id host", command{
			destination: "host",
			sshArgs: []string{"-L", "8080:a:80", "-R", "0:b:81", "-D", "1080", "-J", "x,y", "-b", "127.0.0.1",
				"-B", "lo", "-c", "aes", "-m", "mac", "-i", "id"},
		}},
		{"-fqvvv -v -T -tt -s -e none host", command{
			destination: "host", background: true, quiet: true, verbose: 4,
			sshArgs: []string{"-T", "-t", "-t", "-e", "none"},
		}},
		{"-O check host", command{destination: "host", control: "check"}},
		{"-S /tmp/ctl -Oexit", command{control: "exit", socket: "/tmp/ctl", sshArgs: []string{"-S", "/tmp/ctl"}}},
		{"", command{}},
		{"-fv", command{background: true, verbose: 1}},
		{"-O check", command{control: "check"}},
		{"-O ensure", command{control: "ensure"}},
		{"-O ensure --replace -p 22 -- host", command{destination: "host", control: "ensure", replace: true, sshArgs: []string{"-p", "22"}}},
		{"-V", command{version: true}},
		{"--help", command{help: true}},
		{"-- host", command{destination: "host"}},
	} {
		t.Run(tc.line, func(t *testing.T) {
			got, err := parse(strings.Fields(tc.line))
			require.NoError(t, err)
			require.Equal(t, &tc.want, got)
		})
	}
}

func TestCommandLineErrors(t *testing.T) {
	for line, says := range map[string]string{
		"-p 22":                "a destination is missing",
		"-S /tmp/ctl":          "a destination is missing",
		"--replace":            "a destination is missing",
		"-z host":              "unknown option -- z",
		"host -p":              "option requires an argument -- p",
		"host uptime":          "run: ssh host uptime",
		"host -v -- ls":        "run: ssh host ls",
		"-1 host":              "no longer supported",
		"-W a:1 host":          "use ssh -W",
		"-G host":              "use ssh -G",
		"-Q cipher":            "use ssh -Q",
		"-O bogus host":        "Invalid multiplex command.",
		"-O proxy host":        "use ssh -O proxy",
		"-O check -W a:1 h":    "Cannot specify stdio forward with -O",
		"-O check -O x h":      "Multiplexing command already specified",
		"-O rotate":            "a destination is missing",
		"-O ensure -p 22":      "a destination is missing",
		"-O ensure -S /ctl":    "a destination is missing",
		"-O reload host":       "give no destination",
		"--port 22 host":       "unknown option",
		"-vvvz host somewhere": "unknown option -- z",
	} {
		_, err := parse(strings.Fields(line))
		require.ErrorContains(t, err, says, line)
	}
}

func TestWords(t *testing.T) {
	require.Equal(t, "ssh-master: it broke", words(errors.New("it broke")))
	unreachable := &master.DialError{Text: "ssh: connect to host h port 22: Connection refused"}
	require.Equal(t, unreachable.Text, words(fmt.Errorf("%w", unreachable)))
	_, err := parse([]string{"-O", "dance", "h"})
	require.Equal(t, "Invalid multiplex command.", words(err))
}

func TestHarmless(t *testing.T) {
	require.Equal(t, "a?[2Jb?c\nd\té\uFFFD?", harmless("a\x1b[2Jb\rc\nd\té\x9b\u202e"))
}
