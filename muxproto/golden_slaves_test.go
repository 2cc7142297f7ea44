package muxproto_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// meanings says what each conversation means: the messages of both sides after
// HELLO. Where releases differ, the name has the folder's before it.
var meanings = map[string][]muxproto.Message{
	"exec":        ran(session(1, "exit 7"), 7),
	"exec-255":    ran(session(1, "exit 255"), 255),
	"exec-stdin":  ran(session(1, "read line; echo $line"), 0),
	"exec-file":   ran(session(1, "cat"), 0),
	"exec-null":   ran(session(1, "true"), 0),
	"exec-bytes":  ran(session(1, ": \xff\xfe\t'quoted'\nexit 1"), 1),
	"exec-signal": ran(session(1, "kill -9 $$"), -1),
	"shell":       ran(session(1, ""), 3),
	"no-command":  ran(session(1, ""), 0),
	"tty-forced":  ran(session(1, "exit 4", tty), 4),
	"tty":         ran(session(1, "exit 5", tty), 5),
	"tty-shell":   ran(session(1, "", tty), 6),
	"tty-no":      ran(session(1, "exit 5"), 5),
	"tty-refused": {
		&muxproto.AliveCheck{}, alive(0), session(1, "exit 8", tty), opened(1),
		&muxproto.TTYAllocFail{SessionID: maskedSession}, &muxproto.ExitMessage{SessionID: maskedSession, Status: 8},
	},
	"8.4/tty-term": ran(session(1, "exit 0", tty, env("TERM=vt52")), 0),
	"9.2/tty-term": ran(session(1, "exit 0", tty, env("TERM=vt52"), func(m *muxproto.NewSession) { m.Term = "vt52" }), 0),
	"escape-none":  ran(session(1, "exit 0", tty, escape(muxproto.NoEscape)), 0),
	"escape-other": ran(session(1, "exit 0", tty, escape(']'&0x1f)), 0),
	"env":          ran(session(1, "test $CT_A-${CT_B-unset}-$OTHER = 1--", env("CT_A=1", "CT_B=")), 0),
	"setenv":       ran(session(1, "test $CT_A-$CT_C = 1-set", env("CT_A=1", "CT_C=set", "EMPTY=")), 0),
	"agent":        ran(session(1, "true", func(m *muxproto.NewSession) { m.WantAgent = true }), 0),
	"x11":          ran(session(1, "true", x11), 0),
	"x11-trusted":  ran(session(1, "true", x11), 0),

	"subsystem":            ran(session(1, "sftp", subsystem), 0),
	"subsystem-refused":    ran(session(1, "netconf", subsystem), -1),
	"sftp":                 ran(session(1, "sftp", subsystem), 0),
	"8.4/scp":              ran(session(1, "scp -f /etc/os-release"), 0),
	"9.2/scp":              ran(session(1, "sftp", subsystem), 0),
	"scp-legacy":           ran(session(1, "scp -f /etc/os-release"), 0),
	"scp-legacy-upload":    ran(session(1, "scp -t /dev/null"), 0),
	"scp-legacy-recursive": ran(session(1, "scp -r -p -f /nonexistent"), 1),
	"refused":              {&muxproto.AliveCheck{}, alive(0), session(1, "true"), refused(1, "Session open refused by peer")},

	"stdio":           {&muxproto.AliveCheck{}, alive(0), stdio("127.0.0.1", echoPort), opened(1)},
	"stdio-v6":        {&muxproto.AliveCheck{}, alive(0), stdio("::1", echoPort), opened(1)},
	"8.4/stdio-path":  ran(session(1, ""), 127), // not understood before 9.4
	"10.0/stdio-path": {&muxproto.AliveCheck{}, alive(0), stdio(echoPath, path), opened(1)},
	"stdio-refused":   {&muxproto.AliveCheck{}, alive(0), stdio("127.0.0.1", 1), refused(1, "Session open refused by peer")},

	"check": {&muxproto.AliveCheck{}, alive(0)},
	"exit":  {&muxproto.Terminate{}}, // the answer is lost in the master's end
	"stop":  {&muxproto.StopListening{}, ok(0)},
	"proxy": {&muxproto.Proxy{}, &muxproto.ProxyReply{}},
	"info-unknown": {
		&muxproto.InfoRequest{Name: "nonsense"}, &muxproto.InfoReply{Text: "info request type not supported"},
	},
	"channels": {&muxproto.InfoRequest{Name: muxproto.InfoChannels}, &muxproto.InfoReply{OK: true, Text: "The following connections are open:\r\n" +
		"  #0 mux-control (t0 [mux-control] nr0 m0 i0/0 o0/0 e[closed]/0 fd 0/0/-0 sock 0 cc -0 nc0 io 0x0/0x0 I)\r\n"}},
	"conninfo": {&muxproto.InfoRequest{Name: muxproto.InfoConnection}, &muxproto.InfoReply{OK: true, Text: "Connection information for host pid 0\r\n" +
		"  versions OpenSSH_0.0p0 Debian-0 -> OpenSSH_0.0p0 Debian-0+deb0u0\r\n  tcp 0.0.0.0:0 -> 0.0.0.0:0\r\n  duration 0:0:0\r\n" +
		"  kexalgorithm sntrup0x0-sha0\r\n  hostkeyalgorithm ssh-ed0\r\n  cipher chacha0-poly0@openssh.com\r\n  mac <implicit>\r\n  compression none\r\n" +
		"  rekey limit none interval none\r\n  traffic 0 pkts 0 blks 0.0KB in, 0 pkts 0 blks 0.0KB out\r\n"}},

	"local": {
		open(0, local("", 61080, "h", 80)), ok(0), open(1, local("*", 61081, "h", 80)), ok(1),
		open(2, local("localhost", 61082, "::1", 80)), ok(2), open(3, local("127.0.0.1", 61083, "h", 80)), ok(3),
		open(4, local("*", 61084, "h", 80)), ok(4), open(5, local("::1", 61085, "h", 80)), ok(5),
	},
	"local-path": {
		open(0, local("/tmp/golden-a", path, "h", 80)), ok(0), open(1, local("/tmp/golden-b", path, "/b", path)), ok(1),
		open(2, local("", 61086, "/b", path)), ok(2),
	},
	"local-taken": {open(0, local("127.0.0.1", takenPort, "h", 80)), refused(0, "Port forwarding failed")},
	"remote": {
		open(0, remote("", 61060, "h", 80)), ok(0), open(1, remote("*", 61061, "h", 80)), ok(1),
		open(2, remote("localhost", 61062, "::1", 80)), ok(2), open(3, remote("127.0.0.1", 61063, "h", 80)), ok(3),
		open(4, remote("*", 61064, "h", 80)), ok(4), open(5, remote("", 0, "h", 80)), remotePort(5),
	},
	"remote-path": {
		open(0, remote("/tmp/golden-r", path, "h", 80)), ok(0), open(1, remote("/tmp/golden-s", path, "/l", path)), ok(1),
		open(2, remote("", 61065, "/l", path)), ok(2),
	},
	"remote-dynamic": {open(0, remote("", 61066, "socks", 0)), ok(0), open(1, remote("", 0, "socks", 0)), remotePort(1)},
	"remote-taken":   {open(0, remote("", takenPort, "h", 80)), refused(0, "remote port forwarding failed for listen port 61099")},
	"dynamic": {
		open(0, dynamic("", 61088)), ok(0), open(1, dynamic("127.0.0.1", 61089)), ok(1), open(2, dynamic("*", 61090)), ok(2),
	},
	"session-forwards": {
		open(0, local("", 61091, "h", 80)), ok(0), open(1, dynamic("", 61092)), ok(1), open(2, remote("", 0, "h", 80)), remotePort(2),
		&muxproto.AliveCheck{RequestID: 3}, alive(3), session(4, "true"), opened(4), &muxproto.ExitMessage{SessionID: maskedSession},
	},
	"session-configured": {
		open(0, dynamic("", 61095)), ok(0), open(1, local("", 61093, "h", 80)), ok(1), open(2, remote("", 61094, "h", 80)), ok(2),
		&muxproto.AliveCheck{RequestID: 3}, alive(3), session(4, "true"), opened(4), &muxproto.ExitMessage{SessionID: maskedSession},
	},
	// A slave counts on only when a request succeeded.
	"cancel-unknown": {
		cancel(0, local("", 61080, "h", 80)), refused(0, "port not forwarded"), cancel(0, dynamic("", 61088)), refused(0, "port not forwarded"),
		cancel(0, remote("", 61081, "h", 81)), refused(0, "port not forwarded"), cancel(0, remote("", 0, "h", 82)), refused(0, "port not forwarded"),
	},
	"some":       opensSome,
	"some-again": opensSome,
	"some-other": {open(0, local("", 61096, "other", 80)), refused(0, "Port forwarding failed")},
	"some-cancelled": {
		cancel(0, local("", 61096, "h", 80)), ok(0), cancel(1, dynamic("", 61098)), ok(1),
		cancel(2, remote("", 61097, "h", 80)), ok(2), cancel(3, remote("", 0, "h", 81)), ok(3),
	},

	"denied":         {&muxproto.AliveCheck{}, alive(0), session(1, "true"), denied(1)},
	"denied-stdio":   {&muxproto.AliveCheck{}, alive(0), stdio("127.0.0.1", 1), denied(1)},
	"denied-forward": {open(0, local("", 61080, "h", 80)), denied(0)},
	"denied-exit":    {&muxproto.Terminate{}, denied(0)},
	"denied-stop":    {&muxproto.StopListening{}, denied(0)},
}

var opensSome = []muxproto.Message{
	open(0, local("", 61096, "h", 80)), ok(0), open(1, dynamic("", 61098)), ok(1),
	open(2, remote("", 61097, "h", 80)), ok(2), open(3, remote("", 0, "h", 81)), remotePort(3),
}

// TestGoldenSlaves compares what stock slaves and masters of each release said
// with what it means.
func TestGoldenSlaves(t *testing.T) {
	for _, release := range loadReleases(t) {
		for _, name := range sortedNames(release.recordings) {
			r := release.recordings[name]
			meaning, ok := meanings[release.home[name]+"/"+name]
			if !ok {
				meaning, ok = meanings[name]
			}
			require.True(t, ok, "no meaning of %s/%s", release.home[name], name)
			hello := &muxproto.Hello{Version: muxproto.Version}
			require.Equal(t, append([]muxproto.Message{hello}, meaning...), messages(t, r), "%s/%s", release.home[name], name)
		}
	}
}

// messages decodes all that both sides said.
func messages(t *testing.T, r *recording) []muxproto.Message {
	var got []muxproto.Message
	for _, e := range r.events {
		decode := muxproto.DecodeRequest
		if e.from == "<" {
			decode = muxproto.DecodeReply
		}
		if e.kind == "" {
			m, err := decode(e.frame[4:])
			require.NoError(t, err)
			got = append(got, m)
		}
	}
	require.Equal(t, descriptors(got), r.count("fd"), r.name)
	return got
}

// TestGoldenReleases: every release's version and greeting are those of the
// release, and every invocation was recorded that it understands.
func TestGoldenReleases(t *testing.T) {
	releases := loadReleases(t)
	var names []string
	used := map[string]bool{}
	for _, r := range releases {
		names = append(names, r.name)
		require.Contains(t, r.version, "OpenSSH_"+r.name+"p")
		hello, err := muxproto.DecodeReply(r.hello[4:])
		require.NoError(t, err)
		want := &muxproto.Hello{Version: muxproto.Version}
		if r.name == "10.6" { // since 10.3
			want.Extensions = []muxproto.Extension{{Name: "info", Value: "0"}}
		}
		require.Equal(t, want, hello, r.name)
		for _, v := range invocations {
			if r.recordings[v.name] == nil {
				require.Contains(t, notUnderstood[r.name], v.name, "%s lacks a recording", r.name)
			}
		}
		for name, home := range r.home {
			used[filepath.Join(home, name+".hex")] = true
		}
	}
	require.Equal(t, []string{"8.4", "9.2", "10.0", "10.6"}, names)
	files, err := filepath.Glob(filepath.Join("testdata", slavesDir, "*", "*.hex"))
	require.NoError(t, err)
	require.Len(t, files, len(used), "files that no index names")
}

// notUnderstood are the invocations that a release's programs refuse.
var notUnderstood = map[string][]string{
	"8.4":  {"scp-legacy", "scp-legacy-upload", "scp-legacy-recursive", "conninfo", "channels"},
	"9.2":  {"conninfo", "channels"},
	"10.0": {"conninfo", "channels"},
}
