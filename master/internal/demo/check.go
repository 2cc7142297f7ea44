package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// expect shows what a command printed and checks it and the exit status. One * in want stands for any text.
func (p *play) expect(r result, status int, want string) bool {
	p.output(r.output)
	if r.status > 0 {
		p.note(fmt.Sprintf("exit status %d", r.status))
	}
	head, tail, open := strings.Cut(want, "*")
	right := r.output == want
	if open {
		right = len(r.output) >= len(head)+len(tail) && strings.HasPrefix(r.output, head) && strings.HasSuffix(r.output, tail)
	}
	if r.status != status {
		p.fail("exit status %d expected, not %d", status, r.status)
	}
	if !right {
		p.fail("%q expected", want)
	}
	return right && r.status == status
}

// sameFile checks that a copy holds what was sent.
func (p *play) sameFile(path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		p.fail("%v", err)
		return
	}
	if string(content) != notes {
		p.fail("%s holds %q", path, content)
	}
}

// sum says what it all came to.
func (p *play) sum(alone, shared time.Duration, logins, sessions int) {
	p.say("")
	p.result(fmt.Sprintf("The server saw %d login by the master, for %d sessions.", logins, sessions), logins == 1)
	if logins != 1 {
		p.fail("one login expected")
	}
	p.result(fmt.Sprintf("Login %s, shared session %s: %.1f times faster (medians of %d).",
		milliseconds(alone), milliseconds(shared), alone.Seconds()/shared.Seconds(), repeats), true)
}

func (p *play) fail(format string, args ...any) {
	p.failures++
	p.failed(fmt.Sprintf(format, args...))
}
