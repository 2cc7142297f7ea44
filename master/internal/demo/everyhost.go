package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"sshmaster/master/internal/sshtest"
)

// oneTimeCode is what the bastion wants to hear, once.
const oneTimeCode = "271828"

// lines are what a user adds to ~/.ssh/config.
const lines = `Match exec "ssh-master -O ensure -- %n"
    ControlPath ~/.ssh/cm/%C
    ControlMaster no
`

// landscape is a bastion that asks for a code, and two hosts behind it, with a configuration that has ensure start
// ssh-master.
type landscape struct {
	*stage
	servers map[string]*sshtest.Server
	asked   atomic.Int32 // how often somebody answered the bastion
}

// newLandscape sets it up in a folder of the stage. The caller closes it, before the stage.
func newLandscape(s *stage) (l *landscape, err error) {
	dir := filepath.Join(s.dir, "hosts")
	l = &landscape{servers: map[string]*sshtest.Server{}}
	l.stage = &stage{program: s.program, dir: dir, local: s.local, config: filepath.Join(dir, "config")}
	l.env = []string{
		"SSH_MASTER_SOCK=" + filepath.Join(dir, "daemon"), "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS=" + filepath.Join(dir, "askpass"),
	}
	defer func() {
		if err != nil {
			l.close(context.Background())
		}
	}()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	// The demo's user is a program.
	if err := os.WriteFile(filepath.Join(dir, "askpass"), []byte("#!/bin/sh\necho "+oneTimeCode+"\n"), 0o700); err != nil {
		return nil, err
	}
	factor := sshtest.SecondFactor("Verification code: ", func(code string) bool {
		return code == oneTimeCode && l.asked.Add(1) == 1
	})
	config := ""
	for _, host := range []struct {
		name    string
		options []sshtest.Option
		lines   string
	}{{"bastion", []sshtest.Option{factor}, ""}, {"inner-1", nil, "ProxyJump bastion"}, {"inner-2", nil, "ProxyJump bastion"}} {
		block, err := l.addHost(host.name, host.lines, host.options...)
		if err != nil {
			return nil, err
		}
		config += block
	}
	config += strings.NewReplacer("ssh-master", s.program, "~/.ssh", dir).Replace("Host *\n" + lines)
	return l, os.WriteFile(l.config, []byte(config), 0o600)
}

// addHost starts a server and returns its block of the configuration.
func (l *landscape) addHost(name, more string, options ...sshtest.Option) (block string, err error) {
	home := filepath.Join(l.dir, name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return "", err
	}
	server, err := sshtest.Start("127.0.0.1:0", append(options, sshtest.RealShell(home))...)
	if err != nil {
		return "", err
	}
	l.servers[name] = server
	host, port, _ := net.SplitHostPort(server.Addr())
	for file, content := range map[string][]byte{
		"id": server.ClientKey(), "known_hosts": []byte(server.KnownHostsLine() + "\n"), "hostname": []byte(name + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(home, file), content, 0o600); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf(`Host %s
    HostName %s
    Port %s
    User demo
    IdentityFile "%[4]s/id"
    UserKnownHostsFile "%[4]s/known_hosts"
    IdentitiesOnly yes
    UpdateHostKeys no
    %[5]s
`, name, host, port, home, more), nil
}

// everyHost shows the master of every host: nothing is started, and one code opens everything behind a bastion.
func (p *play) everyHost(ctx context.Context) {
	l, err := newLandscape(p.stage)
	if err != nil {
		p.fail("%v", err)
		return
	}
	q := &play{stage: l.stage, screen: p.screen, login: p.login}
	p.heading("Every host, with nothing to start")
	p.say("Two hosts are behind a bastion that asks for a one-time code. In ~/.ssh/config:")
	p.say("")
	for line := range strings.Lines(lines) {
		p.say("    " + strings.TrimSuffix(line, "\n"))
	}
	p.say("")
	q.tourHosts(ctx)
	if ctx.Err() == nil {
		q.sumHosts(l)
	}
	if err := l.close(ctx); err != nil {
		q.fail("%v", err)
	}
	p.failures += q.failures
}

func (p *play) tourHosts(ctx context.Context) {
	if err := os.WriteFile(filepath.Join(p.local, "notes.txt"), []byte(notes), 0o600); err != nil {
		p.fail("%v", err)
	}
	p.expect(p.shared(ctx, nil, "ssh", "inner-1", "cat", "hostname"), 0, "inner-1\n")
	p.note("logged in at bastion, with the code, and at inner-1")
	p.expect(p.shared(ctx, nil, "ssh", "inner-2", "cat", "hostname"), 0, "inner-2\n")
	p.note("logged in at inner-2")
	p.expect(p.shared(ctx, nil, "ssh", "inner-2", "wc", "-c", "hostname"), 0, "*8 hostname\n")
	p.expect(p.shared(ctx, nil, "ssh", "bastion", "cat", "hostname"), 0, "bastion\n")
	p.expect(p.shared(ctx, nil, "scp", "-q", "notes.txt", "inner-1:"), 0, "")
	p.sameFile(filepath.Join(p.dir, "inner-1", "notes.txt"))
	p.command("ssh-master -O list")
	listed := p.exec(ctx, nil, p.program, "-O", "list")
	p.bar(listed.took, p.login)
	p.output(listed.output)
}

// sumHosts says what the servers saw.
func (p *play) sumHosts(l *landscape) {
	var counts []string
	good := true
	for _, name := range []string{"bastion", "inner-1", "inner-2"} {
		n := l.servers[name].Counts().Logins
		counts = append(counts, strconv.Itoa(n))
		good = good && n == 1
	}
	p.say("")
	p.result(fmt.Sprintf("Logins at bastion, inner-1 and inner-2: %s. Codes asked for: %d.",
		strings.Join(counts, ", "), l.asked.Load()), good && l.asked.Load() == 1)
	if !good || l.asked.Load() != 1 {
		p.fail("one of each expected")
	}
}

// close ends the daemon and the servers, and waits for both. What is in the folder goes with the stage's.
func (l *landscape) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	for _, s := range l.servers {
		s.Close() // first: a master that is just logging in fails
	}
	checked := l.exec(ctx, nil, l.program, "-O", "check")
	l.notePid(checked.output)
	if l.pid == 0 {
		return nil
	}
	l.socket = filepath.Join(l.dir, "daemon")
	l.exec(ctx, nil, l.program, "-O", "exit")
	if !l.gone() {
		return errors.New("the daemon is still there")
	}
	return nil
}
