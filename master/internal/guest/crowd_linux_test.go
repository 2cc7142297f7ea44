package guest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/guest"
	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/prompt"
)

const elsewhere = "bastion wants an answer on another terminal"

// One of all who wait is asked; the others are told, once, but not the one who
// sits at the same terminal. Who is killed passes the question on.
func TestCrowdOfGuests(t *testing.T) {
	sshtest.NoLeaks(t)
	c := prompt.NewCrowd(prompt.CrowdOptions{Elsewhere: elsewhere})
	first, second := newDesk(t), newDesk(t)
	join := func(config guest.Config) {
		leave := c.Join(newGuest(t, config))
		t.Cleanup(leave)
	}
	asked := first.start(t, sleeper())
	join(guest.Config{Files: noTerminal(t)})
	join(guest.Config{Files: first.files(), PID: asked.Pid})
	join(guest.Config{Files: first.files()}) // ssh a | ssh b
	join(guest.Config{Files: second.files()})

	replies := ask(t.Context(), c, code)
	first.waitFor(code.Text, 1)
	second.waitFor(elsewhere+"\r\n", 1)
	require.NoError(t, asked.Kill())
	first.waitFor(code.Text, 2) // its neighbour
	first.enter("\x04")
	second.waitFor(code.Text, 1)
	second.enter("123456\n")
	require.Equal(t, reply{answer: "123456"}, get(t, replies))

	require.Equal(t, first.before, first.modes())
	require.Equal(t, second.before, second.modes())
	require.Equal(t, 1, strings.Count(second.text(), elsewhere))
	require.NotContains(t, first.text(), elsewhere)
	require.Equal(t, 3, c.Asked())
}
