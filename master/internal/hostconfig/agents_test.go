package hostconfig_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

func TestInAnotherEnvironment(t *testing.T) {
	env := func(name string) []string {
		return append(os.Environ(), "SSH_AUTH_SOCK=/run/auth-"+name, "OTHER=/run/other-"+name)
	}
	for text, want := range map[string]string{
		"":                            "/run/auth-b",
		"IdentityAgent SSH_AUTH_SOCK": "/run/auth-b",
		"IdentityAgent $OTHER":        "/run/other-b",
		"IdentityAgent none":          "",
		"IdentityAgent /run/fixed":    "/run/fixed",
	} {
		h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
			SSH: realSSH(t), Args: config(t, "Host x\nProxyJump hop\nForwardAgent $OTHER\nHost *\n"+text),
			Destination: "x", OwnFile: "none", Env: env("a"),
		})
		require.NoError(t, err)
		before, agent, key := h.IdentityAgent, h.ForwardAgent, h.LinkKey()
		for range 2 {
			now := h.In(env("b"))
			require.Equal(t, want, now.IdentityAgent, text)
			require.Equal(t, hostconfig.AgentForward{Enabled: true, Path: "/run/other-b"}, now.ForwardAgent)
			require.Equal(t, key, now.LinkKey(), "a link is as good whoever's agent was asked")
			route, err := now.Route(t.Context())
			require.NoError(t, err)
			require.Len(t, route, 1)
			require.Equal(t, want, route[0].IdentityAgent, text)
			require.Zero(t, route[0].In(env("b")).ForwardAgent)
		}
		require.Equal(t, before, h.IdentityAgent)
		require.Equal(t, agent, h.ForwardAgent)
	}
	h, err := resolve(t, "ForwardAgent $NOT_SET_AT_ALL")
	require.NoError(t, err)
	require.False(t, h.ForwardAgent.Enabled)
	require.True(t, h.In([]string{"NOT_SET_AT_ALL=/x"}).ForwardAgent.Enabled)
}

func TestEnvironment(t *testing.T) {
	list := []string{"A=1", "B=", "A=2", "odd", "AB=3"}
	e := hostconfig.NewEnvironment(list)
	require.Equal(t, list, e.List())
	require.Equal(t, "2", e.Get("A"), "the last counts")
	value, set := e.Lookup("B")
	require.True(t, set)
	require.Empty(t, value)
	for _, name := range []string{"C", "odd", ""} {
		_, set = e.Lookup(name)
		require.False(t, set, name)
	}
	require.True(t, e.Equal(hostconfig.NewEnvironment(list)))
	require.False(t, e.Equal(hostconfig.NewEnvironment(list[1:])))
	require.NotNil(t, hostconfig.NewEnvironment(nil).List(), "nil is the process's own to os/exec")
}

// A question that is asked again is asked in the same environment.
func TestAskedAgain(t *testing.T) {
	env := append(os.Environ(), "SSH_AUTH_SOCK=/run/auth-a")
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: realSSH(t), Args: config(t, "Host x\nUser somebody"), Destination: "x", OwnFile: "none", Env: env,
	})
	require.NoError(t, err)
	require.Equal(t, env, h.Asked().Env)
	again, err := hostconfig.Resolve(context.Background(), h.Asked())
	require.NoError(t, err)
	require.True(t, h.Same(again))
	require.Equal(t, "/run/auth-a", again.IdentityAgent)
}
