package session_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/session"
	"sshmaster/master/internal/sshtest"
)

const help = "~?\r\nSupported escape sequences:\r\n" +
	" ~.   - terminate session\r\n" +
	" ~B   - send a BREAK to the remote system\r\n" +
	" ~I   - show connection information\r\n" +
	" ~R   - request rekey\r\n" +
	" ~#   - list forwarded connections\r\n" +
	" ~?   - this message\r\n" +
	" ~~   - send the escape character by typing it twice\r\n" +
	"(Note that escapes are only recognized immediately after newline.)\r\n"

func TestEscapes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		typed []string // each one is a read of its own
		sent  string
		shown string
	}{
		{name: "at the start", typed: []string{"~?"}, shown: help},
		{name: "literal", typed: []string{"~~x"}, sent: "~x"},
		{name: "no command", typed: []string{"~x"}, sent: "~x"},
		{name: "in the middle of a line", typed: []string{"a~?"}, sent: "a~?"},
		{name: "after a newline", typed: []string{"a\n~^Z"}, sent: "a\n~^Z"},
		{name: "split", typed: []string{"a\r~", "~b"}, sent: "a\r~b"},
		{name: "after one another", typed: []string{"~R~R~~"}, sent: "~"},
		{name: "not after a literal", typed: []string{"~~~?"}, sent: "~~?"},
		{name: "suspend", typed: []string{"~\x1a"}, shown: "~^Z escape not available to multiplexed sessions\r\n"},
		{name: "others", typed: []string{"~C~V~v~&"}, shown: "" +
			"~C escape not available to multiplexed sessions\r\n" +
			"~V escape not available to multiplexed sessions\r\n" +
			"~v escape not available to multiplexed sessions\r\n" +
			"~& escape not available to multiplexed sessions\r\n"},
		{name: "information", typed: []string{"~I~#"}, shown: "~I\r\nabout connection\r\n~#\r\nabout channels\r\n"},
		{name: "break", typed: []string{"~B"}, shown: "~B\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := sshtest.NewServer(t)
			req := request("cat")
			req.TTY, req.Escape = true, '~'
			req.Info = func(name string) (string, bool) { return "about " + name + "\r\n", true }
			r := start(t, srv, req)
			for _, typed := range tc.typed {
				io.WriteString(r.in, typed)
				awaitDrained(t, r.in.(*os.File))
			}
			r.in.Close()
			out, shown, told := r.outcome(t)
			require.Equal(t, tc.sent, out)
			require.Equal(t, tc.shown, shown)
			require.Equal(t, []string{"exit 0"}, told)
			if strings.Contains(tc.name, "break") {
				srv.Log().Await(t, "break 1000")
			}
		})
	}
}

func TestEscapeEndsSession(t *testing.T) {
	srv := sshtest.NewServer(t)
	req := request("cat")
	req.TTY, req.Escape = true, '~'
	r := start(t, srv, req)
	io.WriteString(r.in, "~.")
	_, shown, told := r.outcome(t)
	require.Empty(t, shown)
	require.Empty(t, told)
	srv.Log().Await(t, "close")
}

func TestNoEscapesWithoutTerminal(t *testing.T) {
	for _, change := range []func(*session.Request){
		func(r *session.Request) { r.Escape = '~' },
		func(r *session.Request) { r.TTY = true },
	} {
		srv := sshtest.NewServer(t)
		req := request("cat")
		change(&req)
		r := start(t, srv, req)
		io.WriteString(r.in, "~?\n~.\n~~")
		r.in.Close()
		out, _, _ := r.outcome(t)
		require.Equal(t, "~?\n~.\n~~", out)
	}
}
