package compat

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server is a host with a server that the matrix is about.
type server struct {
	host     string
	pkg      string   // whose version is shown
	also     string   // a word for the head of its column
	instead  string   // another host that is meant, which logs; empty: this one
	once     bool     // it ends a connection with its first session
	service  bool     // its master starts by itself
	login    string   // in its log, once for each login
	connects string   // in its log, once for each connection
	slaves   []string // who uses it
}

var (
	releases = []string{"slave-11", "slave-12", "slave-13", "slave-sid"}
	openssh  = server{pkg: "openssh-server", login: "Accepted publickey for user", connects: "Connection from ", slaves: releases}
)

func opensshOn(host string) server {
	s := openssh
	s.host = host
	return s
}

// columns are the servers; those of one group are used one after the other, because their logs are counted.
func columns() [][]server {
	alone, apart := opensshOn("alone"), opensshOn("debian-12")
	alone.instead, alone.service, alone.also = "debian-13", true, "a master whose image is the binary alone"
	apart.slaves, apart.also = []string{"slave-apart"}, "a slave that does not share the master's processes"
	return [][]server{
		{opensshOn("debian-11")}, {opensshOn("debian-12"), apart}, {opensshOn("debian-13"), alone}, {opensshOn("debian-sid")},
		{{host: "dropbear", pkg: "dropbear-bin", login: "Pubkey auth succeeded for 'user'", connects: "Child connection from ", slaves: releases}},
		{{host: "tinyssh", pkg: "tinysshd", login: "auth: user: ", connects: "info: connection from ", once: true, slaves: releases}},
	}
}

// A slave is a host with an ssh that attaches.
type slave struct {
	host    string
	openssh string // 8.4p1
	release int    // 804
}

// A cell is a slave that uses one server, while the behaviours are done one after the other.
type cell struct {
	*testing.T
	place  place
	slave  slave
	server server
	number int // of the cell; no other has it
	pid    string
	logins int // that its masters have made
}

// TestMatrix does each behaviour with each slave and each server, on hosts of their own, and writes MATRIX.md. It takes
// minutes and containers, or Debian systems, that something has to make: `make compat` does, and names the place.
func TestMatrix(t *testing.T) {
	p := matrixPlace(t)
	m := newMatrix(t, p)
	// Beside the cells' group, and before the table is written.
	t.Run("all", func(t *testing.T) {
		for i, group := range columns() {
			t.Run(group[0].host, func(t *testing.T) {
				t.Parallel()
				for j, s := range group {
					m.column(t, s, 100*i+10*j)
				}
			})
		}
		t.Run("bastion", func(t *testing.T) {
			t.Parallel()
			m.bastion(t)
		})
	})
	m.write(t)
}

func matrixPlace(t *testing.T) place {
	t.Helper()
	switch where, name, _ := strings.Cut(os.Getenv("COMPAT_MATRIX"), ":"); where {
	case "":
		t.Skip("make compat runs the matrix: it needs hosts, which that makes")
	case "docker":
		return inContainers(name)
	case "chroot":
		return inChroots(t, name)
	default:
		require.FailNow(t, "COMPAT_MATRIX: no such place", where)
	}
	return nil
}

func newSlave(t *testing.T, p place, host string) slave {
	t.Helper()
	r := run(t, Command{Args: p.command(host, on{}, "ssh", "-V")})
	found := regexp.MustCompile(`^OpenSSH_((\d+)\.(\d+)p\d+)`).FindStringSubmatch(r.Stderr)
	require.NotNil(t, found, r.Stderr)
	major, _ := strconv.Atoi(found[2])
	minor, _ := strconv.Atoi(found[3])
	return slave{host: host, openssh: found[1], release: 100*major + minor}
}

// column is a server with all of its slaves.
func (m *matrix) column(t *testing.T, s server, number int) {
	m.head(t, s)
	for i, host := range s.slaves {
		t.Run(s.host+" from "+host, func(t *testing.T) {
			c := &cell{T: t, place: m.place, slave: m.slaves[host], server: s, number: number + i}
			c.prepare()
			if s.service {
				c.master()
				c.logins = 0
			}
			connections, logins := c.counts()
			for j := range behaviours {
				b := &behaviours[j]
				t.Run(b.name, func(t *testing.T) {
					at := *c
					at.T = t
					result := mark{text: "FAILED"}
					defer func() {
						c.logins, c.pid = at.logins, at.pid
						m.set(s, host, b.name, result)
					}()
					result = at.behave(b)
				})
			}
			t.Run(oneLogin, func(t *testing.T) {
				result := mark{text: "FAILED"}
				defer func() { m.set(s, host, oneLogin, result) }()
				connectionsNow, loginsNow := c.counts()
				require.Equal(t, c.logins, loginsNow-logins, "logins, of which the masters made %d", c.logins)
				require.Equal(t, c.logins, connectionsNow-connections, "connections: a slave has tried to log in by itself")
				result = mark{}
			})
		})
	}
}

// oneLogin is the row of what the server's log says.
const oneLogin = "one login of the master's, none of the slave's"

// logger is the host that logs.
func (s *server) logger() string {
	if s.instead != "" {
		return s.instead
	}
	return s.host
}

// counts counts what the server has logged of connections from elsewhere, and of logins.
func (c *cell) counts() (connections, logins int) {
	for line := range strings.Lines(c.place.log(c.T, c.server.logger())) {
		if strings.Contains(line, c.server.login) {
			logins++
		}
		if _, from, ok := strings.Cut(line, c.server.connects); ok && !strings.HasPrefix(from, "127.0.0.1") && !strings.HasPrefix(from, "::1") {
			connections++
		}
	}
	return connections, logins
}

// prepare leaves on the slave what the scripts use. Its server's banner is what anything that gets to port 22 there reads.
func (c *cell) prepare() {
	c.Helper()
	banner := bash(c.T, c.place, c.server.logger(), "head -n 1 </dev/tcp/127.0.0.1/22", nil)
	require.Regexp(c, `^SSH-2\.0-`, banner.Stdout)
	r := bash(c.T, c.place, c.slave.host, c.script(`rm -rf $dir/*; cat >../banner.$server
		cd /tmp; flock lock sh -c "test -e big || { head -c 16777216 /dev/urandom >big; head -c 300001 big >small; }"`), strings.NewReader(banner.Stdout))
	require.Equal(c, Result{}, r)
}

// script is one of a step, with what it may use.
func (c *cell) script(text string) string {
	old := ""
	if c.slave.release >= 807 {
		old = "-O"
	}
	at := "master"
	if c.server.service {
		at = c.server.host
	}
	return fmt.Sprintf("host=%s server=%s at=%s port=%d me=%s pid=%s old=%s dir=/tmp/cell/$host big=/tmp/big small=/tmp/small\nmkdir -p $dir; cd $dir; %s",
		c.server.host, c.server.logger(), at, 20000+c.number, c.slave.host, c.pid, old, text)
}

// behave does a behaviour, or shows that it cannot be had.
func (c *cell) behave(b *behaviour) mark {
	c.Helper()
	steps, result := b.steps, mark{}
	if b.not != nil {
		if reason := b.not(c); reason != "" {
			steps, result.text = nil, reason
			if b.then != nil {
				steps = b.then(c)
			}
		}
	}
	if b.do != nil {
		c.master()
		return b.do(c)
	}
	for _, s := range steps {
		c.master()
		require.Equal(c, s.want, bash(c.T, c.place, c.slave.host, c.script(s.script), nil), s.script)
	}
	if b.ends() {
		c.ended()
	}
	return result
}

// master sees to it that there is one, and knows its process. Where a connection ends with its first session, it is a
// new one each time.
func (c *cell) master() {
	c.Helper()
	if c.server.once && c.pid != "" {
		run(c.T, Command{Args: c.place.command("master", on{}, "ssh-master", "-q", "-O", "exit", c.server.host)})
		c.ended()
	}
	if c.pid != "" {
		return
	}
	if !c.server.service {
		r := run(c.T, Command{Args: c.place.command("master", on{}, "ssh-master", "-f", "-E", "/tmp/log."+c.server.host, "-o", "MaxLinks=1", c.server.host)})
		require.Equal(c, Result{}, r)
	}
	eventually(c, func() bool {
		r := run(c.T, Command{Args: c.place.command("master", on{}, "ssh-master", "-O", "check", c.server.host)})
		found := masterRunning.FindStringSubmatch(r.Stderr)
		if r.Code != 0 || found == nil {
			return false
		}
		c.pid = found[1]
		return true
	}, "no master of %s answers", c.server.host)
	c.logins++
}

var masterRunning = regexp.MustCompile(`^Master running \(pid=(\d+)\)\r\n$`)

// ended waits until the master's process and socket are gone.
func (c *cell) ended() {
	c.Helper()
	eventually(c, func() bool {
		r := bash(c.T, c.place, "master", "kill -0 "+c.pid+" && echo alive; test -e /control/"+c.server.host+" && echo socket", nil)
		return r.Stdout == "" || c.server.service && r.Stdout == "socket\n" // a service is soon back
	}, "the master of %s is still there", c.server.host)
	c.pid = ""
	if c.server.service {
		c.master()
	}
}
