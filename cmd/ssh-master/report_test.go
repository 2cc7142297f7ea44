package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// household is two masters, one of them in use.
func household() []master.Status {
	return []master.Status{
		{
			Host: "bastion", User: "you", Address: "10.0.0.1:22", Control: "/run/a", State: master.StateUp, Since: ago(125 * time.Minute),
			Links: []master.LinkStatus{
				{Number: 1, RoundTrip: master.Seconds(30 * time.Millisecond), BytesIn: 1000},
				{Number: 2, RoundTrip: master.Seconds(11 * time.Millisecond)},
			},
			Sessions: []master.SessionStatus{
				{Number: 1, PID: 41213, Program: "ssh", Parent: "bash", Terminal: "pts/3", TTY: true, Kind: master.KindSession, Since: ago(time.Hour), BytesIn: 86016, BytesOut: 2150},
				{Number: 2, PID: 877, Program: "ssh", Parent: "git", Kind: master.KindSession, Command: "git-upload-pack\n 'app.\x1b[31mgit'", Since: ago(3 * time.Second), BytesIn: 12 << 20, BytesOut: 310},
			},
			Forwards: []master.ForwardStatus{
				{Type: "local", Spec: "8080:localhost:80", Since: ago(2 * time.Hour), Connections: 2},
				{Type: "remote", Spec: "0:localhost:80", Since: ago(time.Minute), Port: 40123, Waiting: true, Connections: 1},
				{Type: "dynamic", Spec: "1080", Since: noon},
			},
			SessionsLeftOut: 1200, ForwardsLeftOut: 1,
		},
		{
			Host: "日本", User: "root", Address: "web-1:2222", Control: "/run/b", State: master.StateIdle, Since: ago(50 * time.Hour),
			Trouble: "Connection refused\nby web-1",
		},
	}
}

func text(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

func TestReport(t *testing.T) {
	require.Equal(t, `
HOST     STATE  LINKS  SESSIONS   RTT    AGE  ADDRESS
    PID  PROGRAM    TTY      AGE   IN   OUT  COMMAND
bastion  up         2      1202  11ms  2h05m  you@10.0.0.1:22
  41213  ssh        pts/3  1h00m  84K  2.1K  (shell)
    877  git > ssh  -         3s  12M   310  git-upload-pack 'app.?[31mgit'
  -L 8080:localhost:80  2h00m  2 connections
  -R 0:localhost:80        1m  1 connection, port 40123, the host does not listen at present
  -D 1080                  0s  0 connections
  and 1200 sessions and 1 forward more
日本     idle       0         0     -  2d02h  root@web-1:2222
  no connection: Connection refused by web-1
`, "\n"+text(report(household(), noon)))
}

func TestReportOfNothing(t *testing.T) {
	require.Equal(t, "HOST  STATE  LINKS  SESSIONS  RTT  AGE  ADDRESS\n", text(report(nil, noon)))
}

func TestReportOnATerminal(t *testing.T) {
	var b strings.Builder
	require.NoError(t, writeReport(&b, report(household()[1:], noon), screen{width: 20, colour: true, glyphs: unicodeGlyphs}))
	require.Equal(t, "\x1b[2mHOST  STATE  LINKS …\x1b[m\n日本  idle       0 …\n\x1b[33m  no connection: Co…\x1b[m\n", b.String())
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		line  string
		width int
		want  string
	}{
		{"abc", 0, "abc"}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"},
	} {
		require.Equal(t, c.want, fit(c.line, c.width, "…"))
	}
	require.Equal(t, "a...", fit("abcde", 4, "..."))
}

func TestJSONOfNothing(t *testing.T) {
	var b strings.Builder
	require.NoError(t, writeJSON(&b, nil))
	require.Equal(t, "[]\n", b.String())
}

func TestJSONLeavesCommandsReadable(t *testing.T) {
	var b strings.Builder
	const command = "a <b >c && ü\x1b\u009b\u202e\U000e0001"
	require.NoError(t, writeJSON(&b, []master.Status{{Sessions: []master.SessionStatus{{Command: command}}}}))
	require.Contains(t, b.String(), `"command": "a <b >c && ü\u001b\u009b\u202e\udb40\udc01"`)
	var back []master.Status
	require.NoError(t, json.Unmarshal([]byte(b.String()), &back))
	require.Equal(t, command, back[0].Sessions[0].Command)
}

func TestCommandText(t *testing.T) {
	for want, s := range map[string]master.SessionStatus{
		"-W [db]:5432":     {Kind: master.KindStdioForward, Command: "[db]:5432"},
		"-O proxy":         {Kind: master.KindProxy},
		"-s sftp":          {Kind: master.KindSession, Command: "sftp", Subsystem: true},
		"(waiting) uptime": {Kind: master.KindSession, Command: "uptime", Waiting: true},
		"a b c":            {Kind: master.KindSession, Command: "a\r\n\tb\v c"},
		"x?y":              {Kind: master.KindSession, Command: "x\u202ey"},
		"(shell)":          {Kind: master.KindSession},
	} {
		require.Equal(t, want, commandText(s))
	}
}

func TestFigures(t *testing.T) {
	for want, n := range map[string]float64{
		"0": 0, "999": 999, "1.0K": 1000, "9.9K": 10188, "10K": 10200, "999K": 999 << 10, "1.0M": 1000 << 10, "12G": 12 << 30, "3.0E": 3 << 60,
	} {
		require.Equal(t, want, sizeText(n))
	}
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "59s": 59 * time.Second, "1m": 119 * time.Second, "1h00m": time.Hour, "23h59m": 24*time.Hour - 1, "9d23h": 239 * time.Hour,
	} {
		require.Equal(t, want, ageText(d))
	}
	for want, d := range map[string]time.Duration{
		"-": 0, "0.3ms": 300 * time.Microsecond, "9.9ms": 9900 * time.Microsecond, "10ms": 9960 * time.Microsecond, "999ms": 999 * time.Millisecond, "1.5s": 1500 * time.Millisecond,
	} {
		require.Equal(t, want, tripText(d))
	}
}

func TestRemaining(t *testing.T) {
	for want, s := range map[string]master.Status{
		"":                     {},
		"1 session still runs": {Sessions: make([]master.SessionStatus, 1)},
		"7 sessions still run": {Sessions: make([]master.SessionStatus, 3), SessionsLeftOut: 4},
		"1 session and 1 forwarded connection still run": {Sessions: make([]master.SessionStatus, 1), Connections: 1},
		"1 forwarded connection still runs":              {Connections: 1},
	} {
		require.Equal(t, want, remaining(s))
	}
}
