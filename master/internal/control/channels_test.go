package control_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/control"
	"sshmaster/muxproto"
)

func TestChannelsAreListedAsOpenSSHDoes(t *testing.T) {
	m := newMaster(t, "")
	_, err := openSession(t, m.dial(t), muxproto.NewSession{Command: "cat", WantTTY: true})
	require.NoError(t, err)
	_, err = openSession(t, m.dial(t), muxproto.NewSession{Command: "sftp", Subsystem: true})
	require.NoError(t, err)
	require.Equal(t, "The following connections are open:\r\n"+
		"  #0 mux-control (t16 [mux-control] nr0 m0 i0/0 o0/0 e[closed]/0 fd -1/-1/-1 sock -1 cc -1 c1 io 0x00/0x00 I)\r\n"+
		"  #1 client-session (t4 [session:command] nr0 nm0 i0/0 o0/0 e[write]/0 fd -1/-1/-1 sock -1 cc 0 nc0 io 0x00/0x00 RTI)\r\n"+
		"  #2 mux-control (t16 [mux-control] nr0 m0 i0/0 o0/0 e[closed]/0 fd -1/-1/-1 sock -1 cc -1 c3 io 0x00/0x00 I)\r\n"+
		"  #3 client-session (t4 [session:subsystem:sftp] nr0 nm0 i0/0 o0/0 e[write]/0 fd -1/-1/-1 sock -1 cc 2 nc0 io 0x00/0x00 B)\r\n",
		m.server.Channels())
}

func TestNumbersAreReused(t *testing.T) {
	var n control.Numbers
	require.Equal(t, []int{0, 1, 2}, []int{n.Take(), n.Take(), n.Take()})
	n.Free(1)
	require.Equal(t, []int{1, 3}, []int{n.Take(), n.Take()})
}

// A name is what a slave or the host chose, and is read on another's terminal.
func TestChannelNamesAreHarmless(t *testing.T) {
	l := control.ChannelLine{Name: "a\x1b]0;x\ab\xff", Kind: strings.Repeat("k", 1000) + "end"}
	require.Contains(t, l.String(), " a?]0;x?b\uFFFD (t0 [kkk")
	require.NotContains(t, l.String(), "end")
}

// Whatever runs, the answer fits into a message.
func TestLongListOfChannels(t *testing.T) {
	m := newMaster(t, "", func(c *control.Config) {
		c.Info = func(string) (string, bool) { return strings.Repeat("a line\r\n", 50000), true }
	})
	text, err := m.dial(t).Info(t.Context(), "channels")
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(text, "a line\r\n...\r\n"))
}
