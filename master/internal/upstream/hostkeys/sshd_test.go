package hostkeys_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/hostkeys"
)

// runSSHD serves a real sshd with the host's three keys, to which the login key
// opens, and returns its port.
func runSSHD(t *testing.T, login ssh.Signer) int {
	t.Helper()
	sshd, folder := sshtest.Program(t, "sshd"), t.TempDir()
	authorized := filepath.Join(folder, "authorized")
	require.NoError(t, os.WriteFile(authorized, []byte(publicLine(login.PublicKey())), 0o600))
	text := "AuthorizedKeysFile " + authorized + "\nStrictModes no\nUsePAM no\nPidFile none\n"
	for name, key := range map[string]ssh.Signer{"ed": keys().ed25519, "ec": keys().ecdsa, "rsa": keys().rsa} {
		text += "HostKey " + privateFile(t, name, key) + "\n"
	}
	config := filepath.Join(folder, "sshd_config")
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	if os.Geteuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // sshd insists
	}
	return serve(t, func(conn net.Conn) {
		file, err := conn.(*net.TCPConn).File()
		conn.Close()
		if err != nil {
			return
		}
		defer file.Close()
		cmd := exec.Command(sshd, "-i", "-f", config)
		cmd.Stdin, cmd.Stdout = file, file
		cmd.Run()
	})
}

// The real announcement and the real proofs of sshd, and what ssh makes of them.
func TestUpdateWithSSHD(t *testing.T) {
	k := keys()
	port := runSSHD(t, k.otherED)
	name := "[127.0.0.1]:" + strconv.Itoa(port)
	before := "# mine\n" + line(name, k.otherECDSA.PublicKey()) + line("other", k.ca.PublicKey()) + line(name, k.rsa.PublicKey())
	ours, theirs := write(t, before), write(t, before)
	updateFrom(t, port, ours)
	require.NotEqual(t, before, read(t, ours))

	ssh := exec.CommandContext(t.Context(), sshtest.Program(t, "ssh"), "-F", "none", "-T", "-p", strconv.Itoa(port),
		"-i", privateFile(t, "login", k.otherED), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile="+theirs, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "UpdateHostKeys=yes",
		"-o", "HashKnownHosts=no", "-o", "HostKeyAlgorithms=rsa-sha2-512,ssh-ed25519,ecdsa-sha2-nistp256", "127.0.0.1", "cat")
	hold, err := ssh.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, ssh.Start())
	require.Eventually(t, func() bool { return read(t, theirs) == read(t, ours) }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, hold.Close())
	require.NoError(t, ssh.Wait())
}

// updateFrom connects, and updates the file from what the server announces.
func updateFrom(t *testing.T, port int, path string) {
	t.Helper()
	checker := hostkeys.New(hostkeys.Config{Host: "127.0.0.1", Port: port, UserFiles: []string{path}, Update: hostkeys.UpdateYes,
		HostKeyAlgorithms: []string{"rsa-sha2-512", "ssh-ed25519", "ecdsa-sha2-nistp256"}, KeepAlgorithmOrder: true})
	algorithms, err := checker.Algorithms(t.Context())
	require.NoError(t, err)
	tcp, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	require.NoError(t, err)
	user := strings.TrimSpace(run(t, "id", "-un"))
	conn, channels, requests, err := ssh.NewClientConn(tcp, "", &ssh.ClientConfig{User: user, HostKeyAlgorithms: algorithms,
		HostKeyCallback: checker.Callback(t.Context()), Auth: []ssh.AuthMethod{ssh.PublicKeys(keys().otherED)}})
	require.NoError(t, err)
	defer conn.Close()
	go func() {
		for channel := range channels {
			channel.Reject(ssh.Prohibited, "")
		}
	}()
	payload := make(chan []byte, 1)
	go func() {
		for request := range requests {
			if request.Type == hostkeys.AnnounceRequest {
				payload <- request.Payload
			}
			request.Reply(false, nil)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case announced := <-payload:
		require.NoError(t, checker.UpdateKeys(ctx, hostkeys.Session{Requester: requester{conn}, ID: conn.SessionID(),
			HostKeyAlgorithm: conn.(ssh.AlgorithmsConnMetadata).Algorithms().HostKey}, announced))
	case <-ctx.Done():
		t.Fatal("sshd announced no keys")
	}
}

type requester struct{ ssh.Conn }

func (r requester) SendRequest(_ context.Context, name string, wantReply bool, payload []byte) (bool, []byte, error) {
	return r.Conn.SendRequest(name, wantReply, payload)
}
