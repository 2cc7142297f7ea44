package hostkeys_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/upstream/hostkeys"
)

func TestAlgorithms(t *testing.T) {
	k := keys()
	const list = "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256"
	ed, ec, rsa := k.ed25519.PublicKey(), k.ecdsa.PublicKey(), k.rsa.PublicKey()
	for _, tc := range []struct {
		name, file string
		port       int
		keep       bool
		want       string
	}{
		{name: "nothing known", want: list},
		{name: "best known", file: line("srv", rsa) + line("srv", ed), want: list},
		{name: "ecdsa known", file: line("srv", ec),
			want: "ecdsa-sha2-nistp256,ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256"},
		{name: "rsa known", file: line("srv", rsa),
			want: "rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-512,rsa-sha2-256,ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384"},
		{name: "rsa known, but the user chose", file: line("srv", rsa), keep: true, want: list},
		{name: "ecdsa and an authority", file: line("srv", ec) + line("@cert-authority *", rsa),
			want: "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,ecdsa-sha2-nistp256,ssh-ed25519,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256"},
		{name: "a revoked key is not known", file: line("srv", ec) + line("@revoked *", ec), want: list},
		{name: "other port", file: line("srv", rsa), port: 2401, want: list},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checker := hostkeys.New(hostkeys.Config{Host: "srv", Port: tc.port, UserFiles: []string{write(t, tc.file)},
				HostKeyAlgorithms: strings.Split(list, ","), KeepAlgorithmOrder: tc.keep})
			got, err := checker.Algorithms(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, strings.Join(got, ","))
		})
	}
}

func TestAlgorithmsLeavesOutWhatCannotBeVerified(t *testing.T) {
	algorithms := func(list ...string) ([]string, error) {
		return hostkeys.New(hostkeys.Config{Host: "srv", HostKeyAlgorithms: list}).Algorithms(t.Context())
	}
	got, err := algorithms("webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "sk-ssh-ed25519@openssh.com", "ssh-ed25519")
	require.NoError(t, err)
	require.Equal(t, []string{"sk-ssh-ed25519@openssh.com", "ssh-ed25519"}, got)
	_, err = algorithms("webauthn-sk-ecdsa-sha2-nistp256@openssh.com")
	refused(t, err, hostkeys.Unacceptable)
	got, err = algorithms()
	require.NoError(t, err)
	require.Equal(t, "ssh-ed25519-cert-v01@openssh.com", got[0])
	require.Contains(t, got, "rsa-sha2-256")
}
