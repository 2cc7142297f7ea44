package master

import (
	"strings"
	"unique"
)

// An environment is a list of "NAME=value". Equal ones share their memory.
type environment struct{ joined unique.Handle[string] }

// between is what no environment has inside.
const between = "\x00"

func newEnvironment(env []string) environment {
	return environment{unique.Make(strings.Join(env, between))}
}

// list is the environment as programs get it.
func (e environment) list() []string {
	joined := e.joined.Value()
	if joined == "" {
		return []string{} // nil would be the process's own
	}
	return strings.Split(joined, between)
}

// get looks a variable up; of several the last counts.
func (e environment) get(name string) (value string) {
	for pair := range strings.SplitSeq(e.joined.Value(), between) {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// surroundings are a master's environment of the moment.
type surroundings struct {
	environment
	later bool // than the host's configuration was resolved in
}

// SetEnv gives the master another environment, "NAME=value", for every login from
// now on: the agent, the display and the askpass program of a session that began
// later, and the environment of ProxyCommand. What is up stays as it is. Of the
// configuration, what names an agent by a variable follows; the rest is as it was
// resolved.
func (m *Master) SetEnv(env []string) {
	e := newEnvironment(env)
	if e == m.around.Load().environment {
		return
	}
	m.around.Store(&surroundings{environment: e, later: true})
	if m.display != nil {
		m.display.Use(e.get("DISPLAY"), e.list())
	}
}

// environ is the master's environment of the moment.
func (m *Master) environ() []string { return m.around.Load().list() }

// getenv looks a variable up in the master's environment.
func (m *Master) getenv(name string) string { return m.around.Load().get(name) }

// hostNow is what the configuration says of the host in the environment of the
// moment.
func (m *Master) hostNow() *Host {
	if now := m.around.Load(); now.later {
		return m.host.In(now.list())
	}
	return m.host
}
