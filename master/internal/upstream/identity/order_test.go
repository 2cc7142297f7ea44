package identity_test

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/sshtest"
	"sshmaster/master/internal/upstream/identity"
)

// What is offered, in which order and under which name, is what ssh itself
// does: each case is run through `ssh -v` and compared line by line.
func TestOrderIsSSHs(t *testing.T) {
	sshtest.Program(t, "ssh")
	folder := t.TempDir()
	ca := newKey(t, folder, "ca")
	one, two, three := newKey(t, folder, "one"), newKey(t, folder, "two"), newKey(t, folder, "three")
	apart := newKey(t, folder, "apart")
	newRSAKey(t, folder, "rsa", "")
	keygen(t, folder, "-t", "ecdsa", "-N", "", "-m", "PEM", "-f", "bare")
	require.NoError(t, os.Remove(folder+"/bare.pub"))
	keygen(t, folder, "-t", "ed25519", "-N", "secret", "-f", "locked")
	keygen(t, folder, "-s", ca, "-I", "id", "-n", me(t), two+".pub")
	keygen(t, folder, "-s", ca, "-I", "id", "-n", "somebody-else", apart+".pub")
	require.NoError(t, os.Rename(apart+"-cert.pub", folder+"/apart.cert"))

	full, empty := startAgent(t), startAgent(t)
	sshAdd(t, full, "-q", three)
	sshAdd(t, full, "-q", two)
	sshAdd(t, full, "-q", folder+"/rsa")

	sshd := sshdCommand(t, "MaxAuthTries 100", folder+"/rsa.pub")
	host := newSSHD(t, "MaxAuthTries 100", folder+"/rsa.pub")

	for name, c := range map[string]struct {
		agent string
		args  []string
	}{
		"files":                         {"none", []string{"-i", one, "-i", three, "-i", folder + "/rsa"}},
		"a file that does not exist":    {"none", []string{"-i", folder + "/none", "-i", folder + "/rsa"}},
		"agent":                         {full, []string{"-i", one}},
		"agent and files":               {full, []string{"-i", one, "-i", folder + "/rsa", "-i", three}},
		"only configured":               {full, []string{"-i", one, "-i", three, "-i", folder + "/rsa", "-o", "IdentitiesOnly=yes"}},
		"a public file":                 {full, []string{"-i", folder + "/rsa.pub", "-o", "IdentitiesOnly=yes"}},
		"certificate beside":            {empty, []string{"-i", two, "-i", folder + "/rsa"}},
		"certificate beside, in agent":  {full, []string{"-i", one, "-i", two}},
		"certificate apart":             {empty, []string{"-i", two, "-i", apart, "-i", folder + "/rsa", "-o", "CertificateFile=" + folder + "/apart.cert"}},
		"certificates switch off":       {full, []string{"-i", two, "-o", "CertificateFile=" + two + "-cert.pub", "-o", "IdentitiesOnly=yes"}},
		"old format, no public half":    {"none", []string{"-i", folder + "/bare", "-i", folder + "/rsa"}},
		"encrypted, refused":            {"none", []string{"-i", folder + "/locked", "-i", folder + "/rsa"}},
		"algorithms":                    {full, []string{"-i", one, "-i", folder + "/rsa", "-o", "PubkeyAcceptedAlgorithms=rsa-sha2-256"}},
		"no algorithm":                  {full, []string{"-i", one, "-o", "PubkeyAcceptedAlgorithms=ecdsa-sha2-nistp256"}},
		"certificate algorithms only":   {"none", []string{"-i", two, "-o", "PubkeyAcceptedAlgorithms=ssh-ed25519-cert-v01@openssh.com"}},
		"RSA too short":                 {full, []string{"-i", one, "-o", "RequiredRSASize=3072"}},
		"no agent at the path":          {folder + "/no-agent", []string{"-i", folder + "/rsa"}},
		"no key at all":                 {"none", []string{"-o", "IdentityFile=none"}},
		"certificate named as identity": {"none", []string{"-i", two + "-cert.pub", "-i", folder + "/rsa"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := []string{"Offering", "Server accepts", "Trying", "Will attempt"}
			c.args = append(c.args, "-o", "IdentityAgent="+c.agent)

			config, log := newConfig(t)
			configure(t, &config, c.args)
			config.BatchMode = true
			login(t, host, config)

			require.Equal(t, sshStory(t, sshd, c.args, told...), normal(log.story(told...)))
		})
	}
}

// sshStory runs ssh through the host's sshd and returns what it tells.
func sshStory(t *testing.T, sshd, args []string, words ...string) []string {
	args = append([]string{"-v", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "ProxyCommand=" + strings.Join(sshd, " ") + " 2>/dev/null", "-o", "PreferredAuthentications=publickey"}, args...)
	cmd := exec.Command(sshtest.Program(t, "ssh"), append(args, me(t)+"@host.example", "true")...)
	out, _ := cmd.CombinedOutput() // some of the logins fail, as they should
	return normal(story(strings.Split(strings.ReplaceAll(string(out), "\r", ""), "\n"), func(line string) string {
		return strings.TrimPrefix(line, "debug1: ")
	}, words...))
}

// normal drops what differs by design: a key that ssh lists but finds not to
// exist when it is its turn, and that a key without a public half is offered
// rather than signed with at once.
func normal(lines []string) []string {
	kept := []string{}
	for _, line := range lines {
		if !strings.Contains(line, "/none") && !(strings.HasPrefix(line, "Offering") && strings.Contains(line, "/bare")) {
			kept = append(kept, strings.Join(strings.Fields(line), " "))
		}
	}
	return kept
}

// configure understands the few options that the cases use.
func configure(t *testing.T, c *identity.Config, args []string) {
	t.Helper()
	for i := 0; i < len(args); i += 2 {
		if args[i] == "-i" {
			if !slices.Contains(c.IdentityFiles, identity.File{Path: args[i+1]}) { // as ssh -G does
				c.IdentityFiles = append(c.IdentityFiles, identity.File{Path: args[i+1]})
			}
			continue
		}
		name, value, _ := strings.Cut(args[i+1], "=")
		switch name {
		case "IdentitiesOnly":
			c.IdentitiesOnly = value == "yes"
		case "CertificateFile":
			c.CertificateFiles = append(c.CertificateFiles, value)
		case "PubkeyAcceptedAlgorithms":
			c.PubkeyAcceptedAlgorithms = strings.Split(value, ",")
		case "RequiredRSASize":
			size, err := strconv.Atoi(value)
			require.NoError(t, err)
			c.RequiredRSASize = size
		case "IdentityFile":
			c.IdentityFiles = files(value)
		case "IdentityAgent":
			c.Agent = value
		default:
			require.Fail(t, name)
		}
	}
}
