package compat

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// askpass is a program that notes each question and how it was asked, and answers as the file "answer" says, a piece of
// shell: an exit status, and what it prints. The files are in the folder in which the master was started.
func askpass(t testing.TB) string {
	t.Helper()
	const script = "#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT: $*\" >>asked\n. ./answer\n"
	return write(t, filepath.Join(shortDir(t), "askpass"), 0o700, script)
}

// withAnswer does something to a master whose askpass program gives one answer to all that it asks, and notes that too.
func withAnswer(answer string, do func(t *testing.T, m *Master) outcome) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		asked := write(t, filepath.Join(m.Dir, "asked"), 0o600, "")
		write(t, filepath.Join(m.Dir, "answer"), 0o600, answer)
		o := do(t, m)
		o["asked"] = read(t, asked)
		o["runs"] = strconv.FormatBool(m.Running())
		return o
	}
}

// refused runs a client that logs in by itself once it is refused, and fails, as nobody listens any more. How it fails is
// left out: the port may be another test's by now.
func refused(args ...string) func(t *testing.T, m *Master) outcome {
	return func(t *testing.T, m *Master) outcome {
		o := client(args...)(t, m)
		first, _, _ := strings.Cut(o["stderr"], "\n")
		o["stderr"] = first
		return o
	}
}

// askRows are requests to a master with ControlMaster ask. Each row has one answer for all that it asks.
func askRows() []row {
	forward := func(command string) func(t *testing.T, m *Master) outcome {
		return func(t *testing.T, m *Master) outcome {
			return of(m.Ask(t, command, "-L", filepath.Join(m.Dir, "l.sock")+":h:80"))
		}
	}
	brackets := map[string]string{"asked": "it asks about [host]:port as OpenSSH from 9.4 on"}
	noPort := map[string]string{"asked": "it does not say port -2 of a unix socket"}
	return []row{
		{name: "session, yes", do: withAnswer("echo yes", client(Target, "echo out; exit 3"))},
		{name: "session, nothing said", do: withAnswer("exit 0", client(Target, "echo out; exit 3"))},
		{name: "session, YES", do: withAnswer("echo YES", client(Target, "echo out; exit 3"))},
		{name: "session, no", do: withAnswer("echo no", refused(Target, "echo out; exit 3"))},
		{name: "session, cancelled", do: withAnswer("exit 1", refused(Target, "echo out; exit 3"))},
		{name: "session, yes but cancelled", do: withAnswer("echo yes; exit 1", refused(Target, "echo out; exit 3"))},
		{name: "-tt, no", do: withAnswer("exit 1", refused("-tt", Target, "exit 3"))},
		{name: "-W, no", do: withAnswer("exit 1", client("-W", "127.0.0.1:1", Target)), more: brackets},
		{name: "-W, yes", do: withAnswer("echo yes", client("-W", "127.0.0.1:1", Target)), more: brackets},
		{name: "check is not asked", do: withAnswer("exit 1", client("-O", "check", Target))},
		{name: "local forward, no", do: withAnswer("exit 1", forward("forward")), more: noPort},
		{name: "dynamic forward, no", do: withAnswer("exit 1", client("-O", "forward", "-D", "1080", Target))},
		{name: "remote forward, no", do: withAnswer("exit 1", client("-O", "forward", "-R", "8080:h:80", Target))},
		{name: "wildcard forward, no", do: withAnswer("exit 1", client("-O", "forward", "-L", "*:8080:h:80", Target))},
		{name: "local forward, yes", do: withAnswer("echo yes", forward("forward")), more: noPort},
		{name: "the same once more is not asked", do: withAnswer("exit 1", forward("forward"))},
		{name: "cancel is not asked", do: withAnswer("exit 1", forward("cancel"))},
		{name: "stop, no", do: withAnswer("exit 1", client("-O", "stop", Target))},
		{name: "exit, no", do: withAnswer("exit 1", client("-O", "exit", Target))},
		{name: "exit, yes", do: withAnswer("echo yes", func(t *testing.T, m *Master) outcome {
			o := of(m.Ask(t, "exit"))
			m.Wait(t)
			o["socket"] = left(m)
			return o
		})},
	}
}

// TestDifferentialAsk is ControlMaster ask (-MM).
func TestDifferentialAsk(t *testing.T) {
	ask := func(env ...string) Setup { return Setup{Options: []string{"-M"}, Environment: env} }
	const because = "stock's child that cannot start the program takes the socket away as it ends"
	script := "SSH_ASKPASS=" + askpass(t)
	compare(t, []group{
		{"askpass", ask(script, "SSH_ASKPASS_REQUIRE=force"), askRows()},
		{"by a display", ask(script, "DISPLAY=:none"), []row{
			{name: "session, yes", do: withAnswer("echo yes", client(Target, "echo out"))},
			{name: "session, no", do: withAnswer("exit 1", refused(Target, "echo out"))},
		}},
		{"no display", ask(script), []row{{name: "session", do: withAnswer("echo yes", refused(Target, "echo out"))}}},
		{"never", ask(script, "DISPLAY=:none", "SSH_ASKPASS_REQUIRE=never"), []row{
			{name: "session", do: withAnswer("echo yes", refused(Target, "echo out"))},
		}},
		{"nobody", ask(), []row{
			{name: "session", do: refused(Target, "echo out")},
			{name: "check", do: client("-O", "check", Target)},
			{name: "exit", do: client("-O", "exit", Target)},
		}},
		{"no such program", ask("SSH_ASKPASS=/none/such", "SSH_ASKPASS_REQUIRE=force"), []row{
			{name: "session", do: refused(Target, "echo out")},
			{
				name: "check", do: client("-O", "check", Target),
				more: map[string]string{"code": because, "stderr": because},
			},
		}},
		{"autoask", Setup{Options: []string{"-o", "ControlMaster=autoask"}, Environment: []string{script, "SSH_ASKPASS_REQUIRE=force"}}, []row{
			{name: "session, yes", do: withAnswer("echo yes", client(Target, "echo out"))},
			{name: "session, no", do: withAnswer("exit 1", refused(Target, "echo out"))},
		}},
	})
}
