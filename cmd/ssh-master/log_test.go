package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
)

func TestLines(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(&lines{level: levelDebug3, out: &out, end: "\r\n"})
	log.Warn("plain", "path", "/a b", "n", 3)
	log.With("host", "h").Debug("story", "text", "\x1b[2J")
	log.Log(t.Context(), levelDebug3, "detail", "raw", "\x9b2J")
	log.Warn("a \x1b[2J b")
	require.Equal(t, "plain path=\"/a b\" n=3\r\n"+
		"debug1: story host=h text=\"\\x1b[2J\"\r\n"+
		"debug3: detail raw=\"\\x9b2J\"\r\n"+
		"a ?[2J b\r\n", out.String())
}

func TestLevels(t *testing.T) {
	for _, tc := range []struct {
		cmd  command
		conf string
		want slog.Level
	}{
		{command{}, "INFO", slog.LevelWarn},
		{command{}, "", slog.LevelWarn},
		{command{}, "VERBOSE", slog.LevelInfo},
		{command{}, "DEBUG1", slog.LevelDebug},
		{command{}, "QUIET", levelQuiet},
		{command{quiet: true}, "INFO", levelQuiet},
		{command{verbose: 1}, "QUIET", slog.LevelDebug},
		{command{verbose: 2}, "INFO", levelDebug2},
		{command{verbose: 9}, "INFO", levelDebug3},
	} {
		require.Equal(t, tc.want, tc.cmd.level(&master.Host{LogLevel: tc.conf}))
	}
}

func TestLogFileIsAppendedTo(t *testing.T) {
	cmd := command{logFile: filepath.Join(t.TempDir(), "log")}
	for range 2 {
		l, err := cmd.openLog(&master.Host{})
		require.NoError(t, err)
		l.Warn("one line")
	}
	require.FileExists(t, cmd.logFile)
	_, err := (&command{logFile: "/nowhere/log"}).openLog(&master.Host{})
	require.ErrorContains(t, err, "/nowhere/log")
}
