package compat

import (
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// containers is the place that docker-compose.yml describes. They are up already; compat-tests/containers/run sees to
// that, and that none of them stays. Whichever compose started them, it has put the same labels on them.
type containers struct {
	project string
	mu      sync.Mutex
	ids     map[string]string // guarded by mu
}

func inContainers(project string) *containers {
	return &containers{project: project, ids: map[string]string{}}
}

func (c *containers) what() string {
	out, _ := exec.Command("docker", "version", "--format", "{{.Server.Version}}").Output()
	return "containers, Docker engine " + strings.TrimSpace(string(out))
}

// id is a container's, of a host that docker-compose.yml names.
func (c *containers) id(host string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids[host] == "" {
		c.ids[host] = c.find("ps", "-aq", "com.docker.compose.service="+host)
	}
	return c.ids[host]
}

func (c *containers) find(list, columns, label string) string {
	args := append(strings.Fields(list), columns, "--filter", "label=com.docker.compose.project="+c.project, "--filter", "label="+label)
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		return "not-found"
	}
	return strings.TrimSpace(string(out))
}

func (c *containers) command(host string, o on, args ...string) []string {
	line := []string{"docker", "exec", "-u", "user", "-w", "/home/user"}
	if o.root {
		line = []string{"docker", "exec", "-u", "root"}
	}
	if o.stdin || o.tty {
		line = append(line, "-i")
	}
	if o.tty {
		line = append(line, "-t", "-e", "TERM=xterm")
	}
	return append(append(line, c.id(host)), args...)
}

// lend has nothing to do: the command gets a terminal that the engine makes.
func (c *containers) lend(*testing.T, string) {}

func (c *containers) docker(t *testing.T, args ...string) Result {
	t.Helper()
	r := c.engine(t, args...)
	require.Equal(t, 0, r.Code, "docker %v: %s", args, r.Stderr)
	return r
}

func (*containers) engine(t *testing.T, args ...string) Result {
	t.Helper()
	return run(t, Command{Args: append([]string{"docker"}, args...), Timeout: 2 * patience})
}

func (c *containers) log(t *testing.T, host string) string {
	t.Helper()
	r := c.docker(t, "logs", c.id(host))
	return r.Stdout + r.Stderr
}

func (c *containers) outside() string {
	return c.find("network ls", "-q", "com.docker.compose.network=outside")
}

func (c *containers) cut(t *testing.T, host string) {
	t.Helper()
	c.docker(t, "network", "disconnect", c.outside(), c.id(host))
}

func (c *containers) mend(t *testing.T, host string) {
	t.Helper()
	c.docker(t, "network", "connect", "--alias", host, c.outside(), c.id(host))
}

// pause asks again where the engine was "unable to freeze": it gives up, and undoes what it did, when processes of the
// container are just beginning or in the midst of a call.
func (c *containers) pause(t *testing.T, host string) {
	t.Helper()
	var r Result
	eventually(t, func() bool {
		r = c.engine(t, "pause", c.id(host))
		return !strings.Contains(r.Stderr, "unable to freeze")
	}, "the engine cannot stop %s", host)
	require.Equal(t, 0, r.Code, r.Stderr)
}

func (c *containers) resume(t *testing.T, host string) { c.docker(t, "unpause", c.id(host)) }
func (c *containers) kill(t *testing.T, host string)   { c.docker(t, "kill", c.id(host)) }
func (c *containers) start(t *testing.T, host string)  { c.docker(t, "start", c.id(host)) }
