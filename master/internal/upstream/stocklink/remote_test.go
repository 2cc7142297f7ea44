package stocklink_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/stocklink"
)

func itoa(n int) string { return strconv.Itoa(n) }

// echoes answers each forwarded channel with its own data in brackets, and notes
// what it was told.
func echoes(told chan<- string) map[string]func(ssh.NewChannel) {
	handle := func(nc ssh.NewChannel) {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		closed := make(chan struct{})
		go func() { ssh.DiscardRequests(reqs); close(closed) }()
		data, _ := io.ReadAll(ch)
		_, _ = fmt.Fprintf(ch, "[%s]", data)
		_ = ch.CloseWrite()
		_, _ = io.ReadAll(ch.Stderr())
		<-closed
		_ = ch.Close()
		told <- nc.ChannelType() + " " + string(nc.ExtraData())
	}
	return map[string]func(ssh.NewChannel){"forwarded-tcpip": handle, "forwarded-streamlocal@openssh.com": handle}
}

// exchange says something where the host listens and returns the answer.
func exchange(t *testing.T, network, address, text string) string {
	t.Helper()
	nc, err := net.Dial(network, address)
	require.NoError(t, err)
	defer func() { _ = nc.Close() }()
	_, err = nc.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, nc.(interface{ CloseWrite() error }).CloseWrite())
	answer, err := io.ReadAll(nc)
	require.NoError(t, err)
	return string(answer)
}

func tcp(host string, port int) []byte {
	return ssh.Marshal(struct {
		Host string
		Port uint32
	}{host, uint32(port)})
}

func TestRemoteForwards(t *testing.T) {
	s := startSSHD(t)
	noLeaks(t)
	told := make(chan string, 10)
	l := start(t, stocklink.Options{Host: s.host(t), Channels: echoes(told)})
	request := func(name string, payload []byte) (bool, []byte) {
		ok, reply, err := l.SendRequest(within(t), name, true, payload)
		require.NoError(t, err)
		return ok, reply
	}

	port := sshtest.FreePort(t)
	ok, reply := request("tcpip-forward", tcp("localhost", port))
	require.True(t, ok)
	require.Empty(t, reply)
	require.Equal(t, "[fixed]", exchange(t, "tcp", "127.0.0.1:"+itoa(port), "fixed"))
	require.Contains(t, <-told, "forwarded-tcpip")

	// Ports that the host chooses, twice the same question.
	var ports []int
	for range 2 {
		ok, reply = request("tcpip-forward", tcp("127.0.0.1", 0))
		require.True(t, ok)
		require.Len(t, reply, 4)
		ports = append(ports, int(binary.BigEndian.Uint32(reply)))
	}
	require.NotEqual(t, ports[0], ports[1])
	for _, p := range ports {
		require.Equal(t, "["+itoa(p)+"]", exchange(t, "tcp", "127.0.0.1:"+itoa(p), itoa(p)))
		require.Equal(t, "forwarded-tcpip "+string(ssh.Marshal(struct {
			H  string
			P  uint32
			OH string
			OP uint32
		}{"127.0.0.1", uint32(p), "127.0.0.1", 65535})), <-told)
	}

	// What is taken is refused, and cancelling gives it back.
	ok, _ = request("tcpip-forward", tcp("127.0.0.1", ports[0]))
	require.False(t, ok)
	_, _, err := l.SendRequest(within(t), "cancel-tcpip-forward", false, tcp("127.0.0.1", ports[0]))
	require.NoError(t, err)
	ok, _ = request("tcpip-forward", tcp("127.0.0.1", ports[0]))
	require.True(t, ok)
	require.Equal(t, "[again]", exchange(t, "tcp", "127.0.0.1:"+itoa(ports[0]), "again"))
	ok, _ = request("cancel-tcpip-forward", tcp("127.0.0.1", 1))
	require.False(t, ok)

	path := filepath.Join(runtimeDir(t), "..", filepath.Base(runtimeDir(t))+".sock")
	ok, _ = request("streamlocal-forward@openssh.com", ssh.Marshal(struct{ P string }{path}))
	require.True(t, ok)
	require.Equal(t, "[unix]", exchange(t, "unix", path, "unix"))
	ok, _ = request("cancel-streamlocal-forward@openssh.com", ssh.Marshal(struct{ P string }{path}))
	require.True(t, ok)
	soon(t, "the host does not listen any more", func() bool { // it is not asked for an answer
		nc, err := net.Dial("unix", path)
		if err == nil {
			_ = nc.Close()
		}
		return err != nil
	})
	require.NoError(t, l.Err())
}

func TestRemoteForwardThatIsRejected(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	l := start(t, stocklink.Options{Host: s.host(t), Channels: map[string]func(ssh.NewChannel){
		"forwarded-tcpip": func(nc ssh.NewChannel) { _ = nc.Reject(ssh.ConnectionFailed, "no") },
	}})
	_, reply, err := l.SendRequest(within(t), "tcpip-forward", true, tcp("127.0.0.1", 0))
	require.NoError(t, err)
	nc, err := net.Dial("tcp", "127.0.0.1:"+itoa(int(binary.BigEndian.Uint32(reply))))
	require.NoError(t, err)
	defer func() { _ = nc.Close() }()
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	_, err = nc.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, l.Err())
}

func TestRemoteForwardsAreForbidden(t *testing.T) {
	t.Parallel()
	s := startSSHD(t, "AllowTcpForwarding no")
	l := start(t, stocklink.Options{Host: s.host(t, "ExitOnForwardFailure yes")})
	ok, _, err := l.SendRequest(within(t), "tcpip-forward", true, tcp("localhost", 0))
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, "x", run(t, l, "printf x", nil).stdout)
}
