package hostconfig

import "strings"

// agents are the sockets and the library that the configuration may name by
// variables.
type agents struct {
	identity string       // IdentityAgent
	forward  AgentForward // ForwardAgent
	provider string       // SecurityKeyProvider
}

// In returns the host as it is in another environment, NAME=value: with the agent
// that its variables name there, and so for its jump hosts and the programs that
// are run for it. Whatever else of the configuration holds variables stays as it
// was resolved.
func (h *Host) In(env []string) *Host {
	c := *h
	c.env = NewEnvironment(env)
	c.resolveAgents()
	return &c
}

// resolveAgents finds the sockets and the library.
func (h *Host) resolveAgents() {
	h.IdentityAgent, h.ForwardAgent, h.SecurityKeyProvider = h.named.identity, h.named.forward, h.named.provider
	switch agent := h.IdentityAgent; {
	case agent == "" || agent == "SSH_AUTH_SOCK":
		h.IdentityAgent = h.env.Get("SSH_AUTH_SOCK")
	case strings.EqualFold(agent, "none"):
		h.IdentityAgent = ""
	case agent[0] == '$':
		h.IdentityAgent = h.env.Get(agent[1:])
	}
	if path := h.ForwardAgent.Path; strings.HasPrefix(path, "$") {
		value, ok := h.env.Lookup(path[1:])
		h.ForwardAgent = AgentForward{Enabled: ok, Path: value}
	}
	if name, ok := strings.CutPrefix(h.SecurityKeyProvider, "$"); ok {
		h.SecurityKeyProvider = h.env.Get(name)
	}
}
