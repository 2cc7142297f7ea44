package identity_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/identity"
	"sshmaster/master/internal/upstream/prompt"
)

// How IdentityAgent names the agent.
func TestIdentityAgent(t *testing.T) {
	folder := t.TempDir()
	good := newKey(t, folder, "good")
	socket := startAgent(t)
	sshAdd(t, socket, "-q", good)
	h := newSSHD(t, keysOnly, good+".pub")
	for name, c := range map[string]struct {
		agent string
		env   []string
		ok    bool
	}{
		"path":            {socket, nil, true},
		"home":            {"~/" + filepath.Base(socket), nil, true},
		"SSH_AUTH_SOCK":   {"SSH_AUTH_SOCK", []string{"SSH_AUTH_SOCK=" + socket}, true},
		"variable":        {"$MY_AGENT", []string{"MY_AGENT=/none", "MY_AGENT=" + socket}, true},
		"none":            {"none", []string{"SSH_AUTH_SOCK=" + socket}, false},
		"empty":           {"", []string{"SSH_AUTH_SOCK=" + socket}, false},
		"unset":           {"SSH_AUTH_SOCK", nil, false},
		"nothing there":   {folder + "/none", nil, false},
		"not an agent":    {good, nil, false},
		"unset variable":  {"$MY_AGENT", nil, false},
		"braced variable": {"${MY_AGENT}", []string{"MY_AGENT=" + socket}, true},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := newConfig(t)
			config.Agent, config.Env, config.Home = c.agent, c.env, filepath.Dir(socket)
			_, err := login(t, h, config)
			require.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
	config, _ := newConfig(t)
	config.Agent = folder + "/none"
	_, err := login(t, h, config)
	require.ErrorContains(t, err, "the agent at "+folder+"/none does not answer: ")
}

// A key of each kind through the agent, and a certificate that it holds.
func TestAgentSigns(t *testing.T) {
	folder := t.TempDir()
	ca := newKey(t, folder, "ca")
	socket := startAgent(t)
	keygen(t, folder, "-t", "ecdsa", "-N", "", "-f", "ecdsa")
	for _, path := range []string{newKey(t, folder, "ed25519"), folder + "/ecdsa", newRSAKey(t, folder, "rsa", "")} {
		sshAdd(t, socket, "-q", path)
		c, log := newConfig(t)
		c.Agent, c.IdentitiesOnly, c.IdentityFiles = socket, true, files(path)
		_, err := login(t, newSSHD(t, "", path+".pub"), c)
		require.NoError(t, err)
		require.Contains(t, log.all(), "explicit agent")
	}
	keygen(t, folder, "-s", ca, "-I", "id", "-n", me(t), "rsa.pub")
	trusts := newSSHD(t, "TrustedUserCAKeys "+ca+".pub")
	for name, prepare := range map[string]func(c *identity.Config){
		"certificate beside a file": func(c *identity.Config) { c.IdentityFiles = files(folder + "/rsa") },
		"certificate configured":    func(c *identity.Config) { c.CertificateFiles = []string{folder + "/rsa-cert.pub"} },
		"certificate algorithm only": func(c *identity.Config) {
			c.CertificateFiles, c.PubkeyAcceptedAlgorithms = []string{folder + "/rsa-cert.pub"}, []string{"rsa-sha2-512-cert-v01@openssh.com"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, log := newConfig(t)
			c.Agent = socket
			prepare(&c)
			_, err := login(t, trusts, c)
			require.NoError(t, err)
			require.Contains(t, log.all(), "RSA-CERT")
		})
	}
}

func TestCertificates(t *testing.T) {
	folder := t.TempDir()
	ca, stranger := newKey(t, folder, "ca"), newKey(t, folder, "stranger")
	h := newSSHD(t, keysOnly+"\nTrustedUserCAKeys "+ca+".pub")
	for name, c := range map[string]struct {
		args []string
		now  time.Time
		says string
	}{
		"good":      {args: []string{"-n", me(t)}},
		"expired":   {args: []string{"-n", me(t), "-V", "20200101Z:20200102Z"}, says: "-cert.pub expired at 2020-01-02 00:00:00 UTC; have it issued anew"},
		"early":     {args: []string{"-n", me(t), "-V", "20990101Z:20990102Z"}, says: "is not valid before 2099-01-01 00:00:00 UTC"},
		"principal": {args: []string{"-n", "a,b"}, says: "is for a,b, not for " + me(t)},
		"host":      {args: []string{"-h", "-n", me(t)}, says: "the host does not accept the key offered"},
	} {
		t.Run(name, func(t *testing.T) {
			user := newKey(t, folder, name)
			keygen(t, folder, append([]string{"-s", ca, "-I", "id"}, append(c.args, user+".pub")...)...)
			config, _ := newConfig(t)
			config.IdentityFiles = files(user)
			_, err := login(t, h, config)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
		})
	}
	t.Run("no private key", func(t *testing.T) {
		config, _ := newConfig(t)
		config.CertificateFiles = []string{folder + "/good-cert.pub"}
		config.IdentityFiles = files(stranger)
		_, err := login(t, h, config)
		require.ErrorContains(t, err, "there is no private key for certificate "+folder+"/good-cert.pub; name it with IdentityFile")
	})
	t.Run("missing", func(t *testing.T) {
		config, _ := newConfig(t)
		config.CertificateFiles = []string{folder + "/none"}
		_, err := login(t, h, config)
		require.ErrorContains(t, err, "CertificateFile "+folder+"/none cannot be read")
	})
}

// The agent asks for confirmation, is told no, and is believed; and a key that
// is bound to destinations is not usable.
func TestAgentRefuses(t *testing.T) {
	folder := t.TempDir()
	good, other := newKey(t, folder, "good"), newKey(t, folder, "other")
	for name, options := range map[string][]string{
		"confirmation": {"-c"},
		"destination":  {"-H", folder + "/hosts", "-h", "elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(folder+"/hosts", []byte("elsewhere "+readPublic(t, other+".pub")), 0o600))
			t.Setenv("SSH_ASKPASS", "/bin/false")
			t.Setenv("SSH_ASKPASS_REQUIRE", "force")
			socket := startAgent(t)
			if name == "destination" && !knowsDestinations(t, socket) {
				t.Skip("ssh-add is older than OpenSSH 8.9, which brought -h") // and there is no other way to bind a key
			}
			sshAdd(t, socket, append(append([]string{"-q"}, options...), good)...)
			c, log := newConfig(t)
			c.Agent, c.IdentityFiles = socket, files(good)
			_, err := login(t, newSSHD(t, keysOnly, good+".pub"), c)
			require.ErrorContains(t, err, "the agent refused to sign with "+good+" ED25519 SHA256:")
			require.ErrorContains(t, err, "ssh-add -h")
			require.NotContains(t, log.all(), "WARN signing with "+good, "said twice")
			require.NotContains(t, err.Error(), "\n")

			c.IdentityFiles = files(good, other)
			_, err = login(t, newSSHD(t, keysOnly, good+".pub", other+".pub"), c)
			require.NoError(t, err, "the next key is tried")
			require.Contains(t, log.all(), "WARN signing with "+good)
		})
	}
}

func knowsDestinations(t *testing.T, socket string) bool {
	t.Helper()
	cmd := exec.Command(sshtest.Program(t, "ssh-add"), "-?")
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	usage, _ := cmd.CombinedOutput() // it always fails
	return strings.Contains(string(usage), "-h destination")
}

// scriptedAgent serves an agent's protocol in this process.
func scriptedAgent(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "agent")
	require.NoError(t, err)
	listener, err := net.Listen("unix", folder+"/s")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			serve(nc)
			nc.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
		os.RemoveAll(folder)
	})
	return folder + "/s"
}

// reluctant is a keyring that does something else than sign.
type reluctant struct {
	agent.ExtendedAgent
	sign func(ssh.PublicKey, []byte) (*ssh.Signature, error)
}

func (r reluctant) SignWithFlags(key ssh.PublicKey, data []byte, _ agent.SignatureFlags) (*ssh.Signature, error) {
	return r.sign(key, data)
}

func keyringWith(t *testing.T, paths ...string) agent.ExtendedAgent {
	t.Helper()
	ring := agent.NewKeyring().(agent.ExtendedAgent)
	for _, path := range paths {
		private, err := ssh.ParseRawPrivateKey([]byte(readPublic(t, path)))
		require.NoError(t, err)
		require.NoError(t, ring.Add(agent.AddedKey{PrivateKey: private, Comment: "the \x1b[31mred\x07 one"}))
	}
	return ring
}

// An agent that goes away loses its own keys; those that are in files too are
// used from there.
func TestAgentGoesAway(t *testing.T) {
	folder := t.TempDir()
	good, other := newKey(t, folder, "good"), newKey(t, folder, "other")
	socket := scriptedAgent(t, func(nc net.Conn) {
		agent.ServeAgent(reluctant{keyringWith(t, good, other), func(ssh.PublicKey, []byte) (*ssh.Signature, error) {
			nc.Close()
			return nil, errors.New("gone")
		}}, nc)
	})
	h := newSSHD(t, keysOnly, good+".pub", other+".pub")
	c, log := newConfig(t)
	c.Agent = socket
	_, err := login(t, h, c)
	require.ErrorContains(t, err, "the agent went away before it signed with the [31mred one ED25519 SHA256:")
	require.Len(t, log.story("Offering"), 1)

	c.IdentityFiles = files(good)
	_, err = login(t, h, c)
	require.NoError(t, err)

	ca := newKey(t, folder, "ca")
	keygen(t, folder, "-s", ca, "-I", "id", "-n", me(t), "good.pub")
	c.IdentityFiles, c.PubkeyAcceptedAlgorithms = files(good), []string{"ssh-ed25519-cert-v01@openssh.com"}
	_, err = login(t, newSSHD(t, keysOnly+"\nTrustedUserCAKeys "+ca+".pub"), c)
	require.NoError(t, err, "the certificate's key comes from the file, too")
}

// A signature of another kind than was asked for is not sent.
func TestAgentTooOldForSHA2(t *testing.T) {
	folder := t.TempDir()
	newRSAKey(t, folder, "rsa", "")
	ring := keyringWith(t, folder+"/rsa")
	socket := scriptedAgent(t, func(nc net.Conn) {
		agent.ServeAgent(reluctant{ring, func(key ssh.PublicKey, data []byte) (*ssh.Signature, error) { return ring.Sign(key, data) }}, nc)
	})
	c, log := newConfig(t)
	c.Agent = socket
	_, err := login(t, newSSHD(t, keysOnly, folder+"/rsa.pub"), c)
	require.ErrorContains(t, err, "Permission denied (publickey)")
	require.Contains(t, log.all(), "the agent signed with ssh-rsa instead of rsa-sha2-")
}

// An agent that does not answer is waited for as long as the context lasts.
func TestAgentHangs(t *testing.T) {
	asked := make(chan struct{})
	socket := scriptedAgent(t, func(nc net.Conn) {
		buffer := make([]byte, 64)
		nc.Read(buffer)
		close(asked)
		nc.Read(buffer)
	})
	c, _ := newConfig(t)
	c.Agent = socket
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := loginContext(t, ctx, newSSHD(t, keysOnly), c)
	require.ErrorContains(t, err, me(t)+"@host.example: the login was given up: ")
	require.ErrorIs(t, err, context.Canceled)
}

func TestAddKeysToAgent(t *testing.T) {
	folder := t.TempDir()
	keygen(t, folder, "-t", "ecdsa", "-m", "PEM", "-N", "open sesame", "-C", "my comment", "-f", "locked")
	path := folder + "/locked"
	h := newSSHD(t, "", path+".pub")
	question := "Add key " + path + " (my comment) to agent?[confirm]"
	for name, c := range map[string]struct {
		add     identity.AddKeys
		answers []string
		asked   int
		added   bool
	}{
		"no":         {identity.AddKeys{Mode: "no"}, nil, 1, false},
		"yes":        {identity.AddKeys{Mode: "yes"}, nil, 1, true},
		"ask, yes":   {identity.AddKeys{Mode: "ask"}, []string{"yes"}, 2, true},
		"ask, no":    {identity.AddKeys{Mode: "ask"}, []string{"no"}, 2, false},
		"for a time": {identity.AddKeys{Mode: "yes", Lifetime: time.Hour}, nil, 1, true},
		"confirm":    {identity.AddKeys{Mode: "confirm"}, nil, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			socket := startAgent(t)
			p := &person{answers: append([]string{"open sesame"}, c.answers...), err: prompt.ErrNoPrompt}
			config, _ := newConfig(t)
			config.Agent, config.IdentityFiles, config.AddKeysToAgent, config.Prompter = socket, files(path), c.add, p
			_, err := login(t, h, config)
			require.NoError(t, err)
			require.Len(t, p.asked, c.asked)
			if c.asked == 2 {
				require.Equal(t, question, p.asked[1])
			}
			require.Equal(t, c.added, strings.Contains(list(t, socket), "my comment"))
		})
	}
	_, err := identity.New(identity.Config{AddKeysToAgent: identity.AddKeys{Mode: "perhaps"}})
	require.ErrorContains(t, err, "perhaps")
}

// What is added carries its constraints.
func TestAddedKeysAreConstrained(t *testing.T) {
	folder := t.TempDir()
	good := newKey(t, folder, "good")
	added := make(chan agent.AddedKey, 1)
	socket := scriptedAgent(t, func(nc net.Conn) { agent.ServeAgent(adder{agent.NewKeyring().(agent.ExtendedAgent), added}, nc) })
	c, _ := newConfig(t)
	c.Agent, c.IdentityFiles = socket, files(good)
	c.AddKeysToAgent = identity.AddKeys{Mode: "confirm", Lifetime: 90 * time.Second}
	_, err := login(t, newSSHD(t, "", good+".pub"), c)
	require.NoError(t, err)
	key := <-added
	require.True(t, key.ConfirmBeforeUse)
	require.EqualValues(t, 90, key.LifetimeSecs)
}

type adder struct {
	agent.ExtendedAgent
	added chan<- agent.AddedKey
}

func (a adder) Add(key agent.AddedKey) error {
	a.added <- key
	return nil
}

func list(t *testing.T, socket string) string {
	t.Helper()
	nc, err := net.Dial("unix", socket)
	require.NoError(t, err)
	defer nc.Close()
	keys, err := agent.NewClient(nc).List()
	require.NoError(t, err)
	var text strings.Builder
	for _, key := range keys {
		text.WriteString(key.Comment + "\n")
	}
	return text.String()
}

// A token's key in the agent signs after a person was told to touch it.
func TestTokenInAgent(t *testing.T) {
	token := newToken(t)
	socket := scriptedAgent(t, func(nc net.Conn) { agent.ServeAgent(token, nc) })
	h := newServer(t, &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		return nil, nil
	}})
	p := &person{}
	c, log := newConfig(t)
	c.Agent, c.Prompter = socket, p
	_, err := login(t, h, c)
	require.NoError(t, err)
	require.Equal(t, []string{"Confirm user presence for key ED25519-SK " + ssh.FingerprintSHA256(token.public)}, p.said)
	require.Contains(t, log.all(), "authenticator agent")
}

// A softToken is an agent that signs as a FIDO authenticator does,
// PROTOCOL.u2f.
type softToken struct {
	agent.ExtendedAgent
	public ssh.PublicKey
	sign   func(data []byte) *ssh.Signature
}

func (s softToken) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: s.public.Type(), Blob: s.public.Marshal(), Comment: "token"}}, nil
}

func (s softToken) SignWithFlags(_ ssh.PublicKey, data []byte, _ agent.SignatureFlags) (*ssh.Signature, error) {
	return s.sign(data), nil
}

func newToken(t *testing.T) softToken {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	const application = "ssh:"
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Type        string
		Public      []byte
		Application string
	}{ssh.KeyAlgoSKED25519, public, application}))
	require.NoError(t, err)
	return softToken{ExtendedAgent: agent.NewKeyring().(agent.ExtendedAgent), public: key, sign: func(data []byte) *ssh.Signature {
		app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
		rest := []byte{1, 0, 0, 0, 7} // present; the counter
		signed := slices.Concat(app[:], rest, message[:])
		return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(private, signed), Rest: rest}
	}}
}
