package proxy_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/proxy"
	"sshmaster/master/internal/sshtest"
)

func TestPackets(t *testing.T) {
	m := newMaster(t)
	r := newRaw(t, m)
	// Many at once, in one write and out of the ordinary.
	r.send(t, pingMsg{"one"}, globalMsg{"keepalive@openssh.com", true, nil}, pongMsg{"unasked"}, globalOKMsg{}, globalFailedMsg{}, pingMsg{"two"})
	var pongs []string
	for len(pongs) < 2 {
		p, err := r.ReadPacket(nil)
		require.NoError(t, err)
		var pong pongMsg
		if ssh.Unmarshal(p, &pong) == nil {
			pongs = append(pongs, pong.Data)
		}
		if len(pongs) < 2 && p[0] != 193 {
			require.Equal(t, byte(82), p[0])
			require.GreaterOrEqual(t, len(p), 4) // ssh takes less for a broken stream
		}
	}
	require.Equal(t, []string{"one", "two"}, pongs)
	r.Close()
	require.NoError(t, <-r.served)
}

// A whole session, packet by packet.
func TestSessionPackets(t *testing.T) {
	m := newMaster(t)
	r := newRaw(t, m)
	id := r.open(t, "session")
	r.send(t,
		requestMsg{id, "exec", true, ssh.Marshal(struct{ C string }{"cat"})},
		dataMsg{id, []byte("da")}, dataMsg{id, nil}, dataMsg{id, []byte("ta")},
		extendedMsg{id, 2, []byte("of no known kind")},
		requestMsg{id, "unheard-of@example", true, nil},
		eofMsg{id}, dataMsg{id, []byte("late")},
		successMsg{id}, failureMsg{id},
	)
	var out bytes.Buffer
	var seen []byte
	for len(seen) == 0 || seen[len(seen)-1] != 97 {
		p, err := r.ReadPacket(nil)
		require.NoError(t, err)
		var data dataMsg
		if ssh.Unmarshal(p, &data) == nil {
			require.Equal(t, uint32(42), data.Recipient)
			out.Write(data.Data)
			continue
		}
		seen = append(seen, p[0])
	}
	require.Equal(t, "data", out.String())
	require.ElementsMatch(t, []byte{99, 100, 98, 96, 97}, seen)
	require.Less(t, bytes.IndexByte(seen, 99), bytes.IndexByte(seen, 100))
	// What crosses the CLOSE is ignored, and the number is free afterwards.
	r.send(t, dataMsg{id, []byte("crossed")}, adjustMsg{id, 5}, requestMsg{id, "signal", true, nil}, closeMsg{id})
	require.Equal(t, id, r.open(t, "session"))
	r.send(t, closeMsg{id})
	var closed closeMsg
	for got := byte(0); got != 97; {
		p, err := r.ReadPacket(nil)
		require.NoError(t, err)
		if got = p[0]; got == 97 {
			require.NoError(t, ssh.Unmarshal(p, &closed))
		}
	}
	require.NoError(t, r.Close())
	require.NoError(t, <-r.served)
	m.idle(t)
}

func TestFaultsEndThatSlaveAlone(t *testing.T) {
	m := newMaster(t)
	other := m.client(t)
	idle := session(t, other)
	require.NoError(t, idle.Start("sleep"))
	big := make([]byte, 32<<10)
	for name, broken := range map[string]func(r *raw, id uint32){
		"disconnect":           func(r *raw, id uint32) { r.WritePacket([]byte{1, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0}) },
		"key exchange":         func(r *raw, id uint32) { r.WritePacket([]byte{20}) },
		"authentication":       func(r *raw, id uint32) { r.WritePacket([]byte{50}) },
		"unknown type":         func(r *raw, id uint32) { r.WritePacket([]byte{101, 0, 0, 0, 0}) },
		"no type":              func(r *raw, id uint32) { r.UnixConn().Write([]byte{0, 0, 0, 1, 0}) },
		"no length":            func(r *raw, id uint32) { r.UnixConn().Write([]byte{0, 0, 0, 0}) },
		"too long":             func(r *raw, id uint32) { r.UnixConn().Write([]byte{0, 4, 0, 1, 0, 94}) },
		"no such channel":      func(r *raw, id uint32) { r.send(t, dataMsg{id + 1, []byte("x")}) },
		"no such channel 2":    func(r *raw, id uint32) { r.send(t, closeMsg{1 << 31}) },
		"confirmed unasked":    func(r *raw, id uint32) { r.send(t, confirmMsg{id, 0, 1, 1, nil}) },
		"refused unasked":      func(r *raw, id uint32) { r.send(t, openFailedMsg{id, 1, "", ""}) },
		"short":                func(r *raw, id uint32) { r.WritePacket([]byte{93, 0, 0, 0, 0, 1}) },
		"left over":            func(r *raw, id uint32) { r.WritePacket([]byte{96, 0, 0, 0, 0, 1}) },
		"string too long":      func(r *raw, id uint32) { r.WritePacket([]byte{94, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1}) },
		"packet too long":      func(r *raw, id uint32) { r.send(t, dataMsg{id, append(big, 1)}) },
		"window too large":     func(r *raw, id uint32) { r.send(t, adjustMsg{id, 1<<32 - 1}) },
		"window of no packets": func(r *raw, id uint32) { r.send(t, openMsg{"session", 1, 1, 0, nil}) },
		"window overrun": func(r *raw, id uint32) {
			for r.WritePacket(ssh.Marshal(dataMsg{id, big})) == nil { // a host that reads nothing gives nothing back
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRaw(t, m)
			id := r.open(t, "session")
			broken(r, id)
			require.ErrorIs(t, <-r.served, proxy.ErrProtocol)
			r.UnixConn().CloseWrite()
			io.Copy(io.Discard, r.UnixConn())
		})
	}
	out, err := session(t, other).Output("echo unharmed")
	require.NoError(t, err)
	require.Equal(t, "unharmed\n", string(out))
}

// A packet that is cut off is a slave that has left.
func TestCutOff(t *testing.T) {
	m := newMaster(t)
	r := newRaw(t, m)
	r.open(t, "session")
	r.UnixConn().Write([]byte{0, 0, 0, 9, 0, 94, 0})
	require.NoError(t, r.Close())
	require.NoError(t, <-r.served)
	m.idle(t)
}

// A slave that asks and asks and never reads is not read from any more.
func TestDeafSlave(t *testing.T) {
	m := newMaster(t)
	r := newRaw(t, m)
	ping := ssh.Marshal(pingMsg{string(make([]byte, 100_000))})
	stuck := make(chan struct{})
	go func() {
		defer close(stuck)
		for r.WritePacket(ping) == nil {
		}
	}()
	m.alive(t)
	require.NoError(t, r.Close())
	<-stuck
	require.NoError(t, <-r.served)
}

// A slave that has the master keep more and more for a host that answers nothing.
func TestGreedySlave(t *testing.T) {
	m := newMaster(t, sshtest.NoLog())
	release := m.host.Hold("exec")
	defer release()
	for _, flood := range []any{
		requestMsg{0, "env", true, make([]byte, 200_000)},
		globalMsg{"tcpip-forward", false, make([]byte, 200_000)},
	} {
		r := newRaw(t, m)
		stop := m.host.Hold("tcpip-forward")
		r.open(t, "session")
		r.send(t, globalMsg{"tcpip-forward", true, ssh.Marshal(tcpPlace{"127.0.0.1", 0})})
		r.send(t, requestMsg{0, "exec", true, ssh.Marshal(struct{ C string }{"x"})})
		p := ssh.Marshal(flood)
		for r.WritePacket(p) == nil {
		}
		require.ErrorIs(t, <-r.served, proxy.ErrProtocol)
		stop()
	}
	m.idle(t)
}
