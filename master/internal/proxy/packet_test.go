package proxy_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/proxy"
)

// packets has one of each kind, as package ssh writes them.
var packets = []any{
	globalMsg{"tcpip-forward", true, []byte("rest")}, globalOKMsg{[]byte{0, 0, 1, 2}}, globalFailedMsg{},
	openMsg{"session", 1, 2, 3, []byte("rest")}, confirmMsg{1, 2, 3, 4, []byte("rest")}, openFailedMsg{1, 2, "text", "en"},
	adjustMsg{1, 2}, dataMsg{1, []byte("data")}, extendedMsg{1, 1, []byte("data")}, eofMsg{1}, closeMsg{1},
	requestMsg{1, "exec", true, []byte("rest")}, successMsg{1}, failureMsg{1}, pingMsg{"ping"}, pongMsg{"pong"},
}

func TestPacketsBothWays(t *testing.T) {
	for _, p := range packets {
		wire := ssh.Marshal(p)
		m, err := proxy.Decode(wire)
		require.NoError(t, err, "%T", p)
		frame := proxy.Append(m)
		require.Equal(t, uint32(len(wire)+1), binary.BigEndian.Uint32(frame))
		require.Equal(t, append([]byte{0}, wire...), frame[4:])
	}
}

func TestPacketsCutAnywhere(t *testing.T) {
	for _, p := range packets {
		wire := ssh.Marshal(p)
		for n := range wire {
			m, err := proxy.Decode(wire[:n])
			if err != nil {
				require.ErrorIs(t, err, proxy.ErrProtocol)
				continue
			}
			require.Equal(t, wire[:n], proxy.Append(m)[5:], "%T", p) // the rest is shorter
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range packets {
		f.Add(ssh.Marshal(p))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := proxy.Decode(wire)
		if err != nil {
			require.ErrorIs(t, err, proxy.ErrProtocol)
			return
		}
		again, err := proxy.Decode(proxy.Append(m)[5:])
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// FuzzServe gives a slave's stream to a server: whatever it is, the slave ends
// and the master does not.
func FuzzServe(f *testing.F) {
	for _, p := range packets {
		f.Add(ssh.Marshal(openMsg{"session", 1, 1 << 20, 1 << 15, nil}), ssh.Marshal(p))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		r := newRawOn(t, noHost{})
		for _, p := range [][]byte{first, second} {
			if len(p) > 0 {
				r.WritePacket(p)
			}
		}
		r.Close()
		if err := <-r.served; err != nil {
			require.ErrorIs(t, err, proxy.ErrProtocol)
		}
	})
}
