package proxy_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// echo serves connections of a listener until it is closed. It does not use
// splice(2), whose pipes would look like a leak.
func echo(t *testing.T, l net.Listener) {
	t.Helper()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				io.Copy(struct{ io.Writer }{nc}, struct{ io.Reader }{nc})
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
}

// talk sends a word over nc, ends its half, and returns what comes back.
func talk(t *testing.T, nc net.Conn, word string) string {
	t.Helper()
	defer nc.Close()
	_, err := io.WriteString(nc, word)
	require.NoError(t, err)
	require.NoError(t, nc.(interface{ CloseWrite() error }).CloseWrite())
	back, err := io.ReadAll(nc)
	require.NoError(t, err)
	return string(back)
}

func TestDirect(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echo(t, tcp)
	unix, err := net.Listen("unix", filepath.Join(filepath.Dir(m.path), "echo"))
	require.NoError(t, err)
	echo(t, unix)
	for _, l := range []net.Listener{tcp, unix} {
		nc, err := c.Dial(l.Addr().Network(), l.Addr().String())
		require.NoError(t, err)
		require.Equal(t, "round trip", talk(t, nc, "round trip"))
	}
	_, err = c.Dial("unix", m.path+".none")
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ssh.ConnectionFailed, refused.Reason)
	m.idle(t)
}

// What was written before a connection is closed, and the slave leaves at once,
// still arrives.
func TestWriteAndClose(t *testing.T) {
	m := newMaster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for range 10 {
		c := m.client(t)
		nc, err := c.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		in, err := l.Accept()
		require.NoError(t, err)
		defer in.Close()
		sent := make([]byte, 300_000)
		_, err = nc.Write(sent)
		require.NoError(t, err)
		nc.Close()
		c.Close()
		got, err := io.ReadAll(in)
		require.NoError(t, err)
		require.Equal(t, len(sent), len(got))
	}
	m.idle(t)
}

func TestListen(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	for _, at := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", m.path + ".far"}} {
		l, err := c.Listen(at[0], at[1])
		require.NoError(t, err)
		for i := range 3 {
			near := make(chan string)
			go func() {
				nc, err := net.Dial(l.Addr().Network(), l.Addr().String())
				if err != nil {
					near <- err.Error()
					return
				}
				near <- talk(t, nc, fmt.Sprint("call ", i))
			}()
			nc, err := l.Accept()
			require.NoError(t, err)
			said, err := io.ReadAll(nc)
			require.NoError(t, err)
			nc.Write(said)
			nc.Close()
			require.Equal(t, fmt.Sprint("call ", i), <-near)
		}
		require.NoError(t, l.Close())
		require.Eventually(t, func() bool {
			nc, err := net.Dial(l.Addr().Network(), l.Addr().String())
			if err == nil {
				nc.Close()
			}
			return err != nil
		}, patience, tick)
	}
	m.idle(t)
}

func TestListenRefused(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	m.host.Refuse("tcpip-forward")
	_, err := c.Listen("tcp", "127.0.0.1:0")
	require.Error(t, err)
	m.host.Accept("tcpip-forward")
	l, err := c.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	// Another slave cannot cancel what is not its own.
	other := m.client(t)
	port := uint32(l.Addr().(*net.TCPAddr).Port)
	ok, _, err := other.SendRequest("cancel-tcpip-forward", true, ssh.Marshal(tcpPlace{"127.0.0.1", port}))
	require.NoError(t, err)
	require.False(t, ok)
	for _, bad := range [][]byte{nil, ssh.Marshal(tcpPlace{"", 70000}), {0, 0, 0, 9, 1}} {
		ok, _, err := other.SendRequest("tcpip-forward", true, bad)
		require.NoError(t, err)
		require.False(t, ok)
	}
	require.NoError(t, l.Close())
}

// A slave that refuses what the host opens.
func TestListenAndRefuse(t *testing.T) {
	m := newMaster(t)
	nc, err := net.Dial("unix", m.path)
	require.NoError(t, err)
	conn, chans, reqs, err := ssh.NewControlClientConn(nc)
	require.NoError(t, err)
	defer conn.Close()
	go ssh.DiscardRequests(reqs)
	ok, reply, err := conn.SendRequest("tcpip-forward", true, ssh.Marshal(tcpPlace{"127.0.0.1", 0}))
	require.NoError(t, err)
	require.True(t, ok)
	var chosen struct{ Port uint32 }
	require.NoError(t, ssh.Unmarshal(reply, &chosen))
	far, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", chosen.Port))
	require.NoError(t, err)
	defer far.Close()
	wish := <-chans
	require.Equal(t, "forwarded-tcpip", wish.ChannelType())
	require.NoError(t, wish.Reject(ssh.ResourceShortage, "no more"))
	_, err = far.Read(make([]byte, 1))
	require.Error(t, err)
	m.idle(t)
}

func TestForwardsEndWithSlave(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	l, err := c.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, err = c.Listen("unix", m.path+".far")
	require.NoError(t, err)
	far, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer far.Close()
	nc, err := l.Accept()
	require.NoError(t, err)
	_, err = nc.Write([]byte("hello"))
	require.NoError(t, err)
	word := make([]byte, 5)
	_, err = io.ReadFull(far, word)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, <-m.ends)
	_, err = far.Read(word)
	require.ErrorIs(t, err, io.EOF)
	m.host.Log().Await(t, fmt.Sprint("global cancel-tcpip-forward 127.0.0.1:", l.Addr().(*net.TCPAddr).Port))
	m.host.Log().Await(t, "global cancel-streamlocal-forward@openssh.com "+m.path+".far")
	m.idle(t)
}

// Global requests are answered one by one, also behind one that takes its time.
func TestGlobalRequests(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	for _, name := range []string{"keepalive@openssh.com", "no-more-sessions@openssh.com", "unheard-of@example"} {
		ok, _, err := c.SendRequest(name, true, nil)
		require.NoError(t, err)
		require.False(t, ok)
		_, _, err = c.SendRequest(name, false, nil)
		require.NoError(t, err)
	}
	m.alive(t)
	release := m.host.Hold("tcpip-forward")
	defer release()
	listening := make(chan error)
	go func() {
		_, err := c.Listen("tcp", "127.0.0.1:0")
		listening <- err
	}()
	m.host.Log().Await(t, "global tcpip-forward 127.0.0.1:0")
	// Channels go on meanwhile.
	out, err := session(t, c).Output("echo on")
	require.NoError(t, err)
	require.Equal(t, "on\n", string(out))
	release()
	require.NoError(t, <-listening)
}

// A slave that leaves while the host has not answered.
func TestLeaveWhileListening(t *testing.T) {
	m := newMaster(t)
	c := m.client(t)
	release := m.host.Hold("tcpip-forward")
	defer release()
	go c.Listen("tcp", "127.0.0.1:0")
	m.host.Log().Await(t, "global tcpip-forward 127.0.0.1:0")
	c.Close()
	require.NoError(t, <-m.ends)
}
