package compat

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bastion is the bastion's user: what they have is a key and a token that shows a code that is good once.
type bastion struct {
	*matrix
	used uint64 // codes so far
}

// codeAsked is how the bastion's PAM asks.
const codeAsked = "One-time password (OATH) for `user': "

// code is the next one: HOTP of RFC 4226, with the secret of its examples, which compat-tests/containers/serve gives the
// bastion.
func (b *bastion) code() string {
	mac := hmac.New(sha1.New, []byte("12345678901234567890"))
	_ = binary.Write(mac, binary.BigEndian, b.used)
	b.used++
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1000000)
}

// bastion is what happens behind the bastion, and when something happens to it.
func (m *matrix) bastion(t *testing.T) {
	b := &bastion{matrix: m}
	t.Run("journey", b.journey)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { b.fault(t, f) })
	}
}

// login starts a master of the bastion at a terminal and gives the code.
func (b *bastion) login(t *testing.T, code string) {
	t.Helper()
	term, p := atTerminal(t, b.place, "master", "ssh-master -f bastion; echo code $?; read x")
	term.Expect(t, codeAsked)
	term.Type(t, code+"\r")
	term.Expect(t, "code 0")
	term.Type(t, "\r")
	require.Equal(t, 0, p.Wait(t))
}

// count is how often a host's log has some words.
func (b *bastion) count(t *testing.T, host, words string) int {
	t.Helper()
	return strings.Count(b.place.log(t, host), words)
}

const (
	codeTaken = "Accepted keyboard-interactive/pam for user"
	keyTaken  = "Accepted publickey for user"
)

// journey: the bastion asks once; each slave reaches what lies behind it without a question, by ssh's own ProxyJump and
// by a master for each inner host that goes through the bastion's socket.
func (b *bastion) journey(t *testing.T) {
	row := func(name string, cell string) []string { return []string{name, cell} }
	rows := [][]string{{"", "what was seen, by each slave unless it says otherwise"}}
	inner := []string{"inner-1", "inner-2"}
	address := map[string]string{}
	for _, host := range inner {
		address[host] = strings.Fields(ask(t, b.place, host, "hostname", "-I"))[0]
	}
	for _, from := range []string{"master", "slave-13"} {
		for _, host := range inner {
			// Refused at once, or dropped on the way: an engine's networks do the one or the other.
			r := bash(t, b.place, from, "timeout 2 bash -c 'exec 3</dev/tcp/"+address[host]+"/22'", nil)
			require.Contains(t, []int{1, 124}, r.Code, r.Stderr)
			require.NotContains(t, r.Stderr, "refused")
		}
	}
	rows = append(rows, row("to an inner host past the bastion", "no way"))

	first := b.code()
	b.login(t, first)
	rows = append(rows, row("`ssh-master -f bastion`", "asks for the code, once"))

	// Slaves have no key. These have an agent's.
	ask(t, b.place, "master", "bash", "-c", "rm -f /control/agent; ssh-agent -a /control/agent >/dev/null; SSH_AUTH_SOCK=/control/agent ssh-add -q /identity/id")
	agent := "-F /control/jump "
	ask(t, b.place, "master", "bash", "-c", "{ echo IdentityAgent /control/agent; grep -v Identi /etc/ssh/ssh_config; } >/control/jump")
	bastionInside := strings.Fields(ask(t, b.place, "bastion", "hostname", "-I"))
	for _, slave := range releases {
		for _, host := range inner {
			r := bash(t, b.place, slave, "ssh "+agent+host+` 'hostname; echo $SSH_CONNECTION; cat >&2; exit 3'`, strings.NewReader("in\n"))
			require.Equal(t, 3, r.Code, r.Stderr)
			require.Equal(t, "in\n", r.Stderr)
			words := strings.Fields(r.Stdout)
			require.Equal(t, []string{host, address[host], "22"}, []string{words[0], words[3], words[4]})
			require.Contains(t, bastionInside, words[1])
		}
	}
	rows = append(rows, row("`ssh inner`, by ProxyJump and an agent", "works, and comes from the bastion's inner address; no question"))

	for _, host := range inner {
		logins := b.count(t, host, keyTaken)
		require.Equal(t, Result{}, run(t, Command{Args: b.place.command("master", on{}, "ssh-master", "-f", host)}))
		for _, slave := range releases {
			require.Equal(t, Result{Stdout: host + "\n"}, bash(t, b.place, slave, "ssh "+host+" hostname", nil))
			require.Equal(t, Result{Stdout: "same\n"}, bash(t, b.place, slave, "cd; head -c 300001 /dev/urandom >up && scp -q up "+host+":from."+slave+" && scp -q "+host+":from."+slave+" down && cmp up down && echo same", nil))
		}
		require.Equal(t, logins+1, b.count(t, host, keyTaken))
	}
	rows = append(rows, row("`ssh inner`, `scp`, by a master of the inner host", "works without any key; one login at the inner host, the master's, and no question"))

	require.Equal(t, 1, b.count(t, "bastion", codeTaken))
	require.Equal(t, 1, b.count(t, "bastion", "Connection from "))
	rows = append(rows, row("logins at the bastion in all of this", "one"))

	for _, host := range append(inner, "bastion") {
		r := bash(t, b.place, "slave-sid", "ssh -O exit "+host, nil)
		require.Equal(t, Result{Stderr: "Exit request sent.\r\n"}, r)
	}
	eventually(t, func() bool { return bash(t, b.place, "master", "test -e /control/bastion", nil).Code == 1 }, "the socket is still there")
	term, p := atTerminal(t, b.place, "master", "ssh-master -f -o NumberOfPasswordPrompts=1 bastion; echo code $?; read x")
	term.Expect(t, codeAsked)
	term.Type(t, first+"\r")
	require.Contains(t, term.Expect(t, "code 255"), "Permission denied")
	term.Type(t, "\r")
	require.Equal(t, 0, p.Wait(t))
	rows = append(rows, row("the same code again", "Permission denied"))

	b.mu.Lock()
	defer b.mu.Unlock()
	b.journeys = rows
}
