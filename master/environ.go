package master

import (
	"os"

	"sshmaster/master/internal/hostconfig"
)

// surroundings are a master's environment of the moment.
type surroundings struct {
	hostconfig.Environment
	later bool // than the host's configuration was resolved in
}

// SetEnv gives the master another environment, "NAME=value", for every login from
// now on: the agent, the display and the askpass program of a session that began
// later, and the environment of ProxyCommand. What is up stays as it is. Of the
// configuration, what names an agent by a variable follows; the rest is as it was
// resolved. Masters share the memory of variables that they have in common.
func (m *Master) SetEnv(env []string) {
	e := hostconfig.NewEnvironment(env)
	if e.Equal(m.around.Load().Environment) {
		return
	}
	m.around.Store(&surroundings{Environment: e, later: true})
	if m.display != nil {
		m.display.Use(e.Get("DISPLAY"), e.List())
	}
}

// environ is the master's environment of the moment.
func (m *Master) environ() []string { return m.around.Load().List() }

// folder is where programs run that are started for the master: its own folder, or
// the root of the file system once that is gone. A master may be there for weeks.
func (m *Master) folder() string {
	if info, err := os.Stat(m.opts.Dir); err != nil || !info.IsDir() {
		return "/"
	}
	return m.opts.Dir
}

// getenv looks a variable up in the master's environment.
func (m *Master) getenv(name string) string { return m.around.Load().Get(name) }

// hostNow is what the configuration says of the host in the environment of the
// moment.
func (m *Master) hostNow() *Host {
	if now := m.around.Load(); now.later {
		return m.host.In(now.List())
	}
	return m.host
}
