package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sshmaster/master/internal/sshtest"
)

// play is one run of the demo: what is shown, and what was found wrong.
type play struct {
	*stage
	*screen
	login    time.Duration // of the first, unshared ssh
	failures int
}

// repeats is how often each side of the summary is measured.
const repeats = 5

const notes = "one login,\nmany sessions\n"

// perform shows everything in order. It stops early when the user does, or when there is nothing to go on with.
func (p *play) perform(ctx context.Context) {
	p.say("ssh-master: log in once, then share the connection.")
	p.say("")
	p.say("The server is a throw-away one on " + p.server.Addr() + ". Every command below also has")
	p.say("-F with a generated ssh_config that calls it " + sshtest.Host + " and names a ControlPath.")
	p.say("The bars compare times with that of the first login.")
	p.heading("Without sharing, every ssh logs in")
	first := p.show(ctx, "ssh", "-S", "none", sshtest.Host, "echo", "hello")
	p.login = first.took
	p.bar(first.took, p.login)
	p.expect(first, 0, "hello\n")

	p.heading("With a master, one login serves all")
	before := p.server.Counts()
	if !p.startMaster(ctx) {
		return
	}
	p.sessions(ctx)
	p.transfers(ctx)
	shared := p.measure(ctx)
	seen := p.server.Counts()

	p.heading("The end")
	p.stopMaster(ctx)
	alone := p.measure(ctx, "-S", "none")
	if ctx.Err() == nil {
		p.sum(alone, shared, seen.Logins-before.Logins, seen.Channels-before.Channels)
	}
}

func (p *play) startMaster(ctx context.Context) bool {
	p.command("ssh-master -f " + sshtest.Host)
	started := p.tool(ctx, nil, p.program, "-f", sshtest.Host)
	p.bar(started.took, p.login)
	if !p.expect(started, 0, "") {
		return false
	}
	checked := p.shared(ctx, nil, "ssh", "-O", "check", sshtest.Host)
	p.notePid(checked.output)
	return p.expect(checked, 0, "Master running (pid=*)\n")
}

func (p *play) sessions(ctx context.Context) {
	p.expect(p.shared(ctx, nil, "ssh", sshtest.Host, "echo", "hello"), 0, "hello\n")
	p.expect(p.shared(ctx, nil, "ssh", sshtest.Host, "exit", "7"), 7, "")

	if err := os.WriteFile(filepath.Join(p.local, "notes.txt"), []byte(notes), 0o600); err != nil {
		p.fail("%v", err)
	}
	p.expect(p.shared(ctx, strings.NewReader(notes), "ssh", sshtest.Host, "wc", "-w", "<", "notes.txt"), 0, "*4\n")

	p.command("seq 4 | xargs -P4 -I{} ssh " + sshtest.Host + " echo {}")
	four := p.exec(ctx, strings.NewReader("1\n2\n3\n4\n"), "xargs", "-P4", "-I{}", "ssh", "-F", p.config, sshtest.Host, "echo", "{}")
	p.bar(four.took, p.login)
	lines := strings.Split(four.output, "\n")
	slices.Sort(lines)
	four.output = strings.TrimSpace(strings.Join(lines, " ")) + "\n"
	p.expect(four, 0, "1 2 3 4\n")
}

func (p *play) transfers(ctx context.Context) {
	p.expect(p.shared(ctx, nil, "scp", "-q", "notes.txt", sshtest.Host+":"), 0, "")
	p.sameFile(filepath.Join(p.remote, "notes.txt"))
	p.expect(p.shared(ctx, nil, "scp", "-q", sshtest.Host+":notes.txt", "copy.txt"), 0, "")
	p.sameFile(filepath.Join(p.local, "copy.txt"))

	p.command("echo ls | sftp -q -b - " + sshtest.Host)
	listed := p.tool(ctx, strings.NewReader("ls\n"), "sftp", "-q", "-b", "-", sshtest.Host)
	p.bar(listed.took, p.login)
	p.expect(listed, 0, "sftp> ls\nnotes.txt*\n")
}

func (p *play) stopMaster(ctx context.Context) {
	p.expect(p.shared(ctx, nil, "ssh", "-O", "exit", sshtest.Host), 0, "Exit request sent.\n")
	if ctx.Err() == nil && !p.gone() {
		p.fail("the master is still there")
	}
}

// show runs a command and shows it as it would be typed.
func (p *play) show(ctx context.Context, name string, args ...string) result {
	p.command(name + " " + strings.Join(args, " "))
	return p.tool(ctx, nil, name, args...)
}

// shared does the same with the bar that compares it with a login. With an input, the last two arguments are its
// redirection: they are shown, not passed.
func (p *play) shared(ctx context.Context, stdin io.Reader, name string, args ...string) result {
	p.command(name + " " + strings.Join(args, " "))
	if stdin != nil {
		args = args[:len(args)-2]
	}
	r := p.tool(ctx, stdin, name, args...)
	p.bar(r.took, p.login)
	return r
}

// measure returns the median time of a command that does nothing.
func (p *play) measure(ctx context.Context, options ...string) time.Duration {
	var times []time.Duration
	for range repeats {
		r := p.tool(ctx, nil, "ssh", append(options, sshtest.Host, "true")...)
		if ctx.Err() == nil && r.status != 0 {
			p.fail("ssh %s true: exit status %d: %s", sshtest.Host, r.status, r.output)
		}
		times = append(times, r.took)
	}
	slices.Sort(times)
	return times[len(times)/2]
}
