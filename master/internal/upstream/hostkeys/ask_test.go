package hostkeys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"sshmaster/master/internal/upstream/hostkeys"
	"sshmaster/master/internal/upstream/prompt"
)

func TestAsk(t *testing.T) {
	key := keys().ed25519.PublicKey()
	print := ssh.FingerprintSHA256(key)
	for _, tc := range []struct {
		answers []string
		ok      bool
	}{
		{[]string{"yes"}, true},
		{[]string{"  YES  "}, true},
		{[]string{print}, true},
		{[]string{print + " \r"}, true},
		{[]string{"no"}, false},
		{[]string{""}, false},
		{[]string{"y", "SHA256:wrong", strings.ToLower(print), "yes"}, true},
		{[]string{"maybe", "No"}, false},
		{strings.Split(strings.Repeat("what ", 30), " "), false},
	} {
		t.Run(strings.Join(tc.answers, "|"), func(t *testing.T) {
			path := write(t, "")
			someone := &person{answers: tc.answers}
			result, err := check(t, hostkeys.Config{UserFiles: []string{path}, Prompter: someone}, key)
			require.Contains(t, someone.asked[0], print)
			if !tc.ok {
				refused(t, err, hostkeys.Unknown)
				require.Empty(t, read(t, path))
				require.LessOrEqual(t, len(someone.asked), 10)
				return
			}
			require.NoError(t, err)
			require.Equal(t, hostkeys.Result{Key: key, Trusted: true, Added: true}, result)
			require.Equal(t, line("srv", key), read(t, path))
			require.Len(t, someone.asked, len(tc.answers))
		})
	}
}

// Programs that answer for a person wait for these words.
func TestQuestion(t *testing.T) {
	k := keys()
	path := write(t, line("x", k.otherED.PublicKey())+line("twin,10.0.0.1", k.ed25519.PublicKey())+
		line("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=", k.ed25519.PublicKey()))
	someone := &person{}
	_, err := check(t, hostkeys.Config{UserFiles: []string{path}, Prompter: someone, Port: 2401}, k.ed25519.PublicKey())
	refused(t, err, hostkeys.Unknown)
	text := someone.asked[0]
	require.True(t, strings.HasPrefix(text, "The authenticity of host '[srv]:2401 (192.0.2.7)' can't be established"), text)
	require.True(t, strings.HasSuffix(text, "\nAre you sure you want to continue connecting (yes/no/[fingerprint])? "), text)
	require.Contains(t, text, "ED25519 key fingerprint is: "+ssh.FingerprintSHA256(k.ed25519.PublicKey())+"\n")
	require.Contains(t, text, path+":2: twin,10.0.0.1\n")
	require.Contains(t, text, path+":3: [hashed name]\n")

	var many strings.Builder
	for i := range 20 {
		many.WriteString(line(fmt.Sprintf("twin%d", i), k.ed25519.PublicKey()))
	}
	_, err = check(t, hostkeys.Config{UserFiles: []string{write(t, many.String())}, Prompter: someone, Proxied: true}, k.ed25519.PublicKey())
	refused(t, err, hostkeys.Unknown)
	require.Contains(t, someone.asked[1], "of host 'srv' can't")
	require.Contains(t, someone.asked[1], "twin7\n    (and 12 more)\n")
}

func TestNobodyToAsk(t *testing.T) {
	key := keys().ed25519.PublicKey()
	path := write(t, "")
	broken := errors.New("terminal on fire")
	for name, tc := range map[string]struct {
		config hostkeys.Config
		says   string
	}{
		"no prompter": {hostkeys.Config{}, "nobody can be asked"},
		"nobody":      {hostkeys.Config{Prompter: prompt.Nobody{}}, "nobody can be asked"},
		"batch":       {hostkeys.Config{Batch: true, Prompter: &person{answers: []string{"yes"}}}, "BatchMode"},
		"cancelled":   {hostkeys.Config{Prompter: &person{err: prompt.ErrCancelled}}, "was not accepted"},
		"broken":      {hostkeys.Config{Prompter: &person{err: broken}}, "on fire"},
		"no file":     {hostkeys.Config{UserFiles: []string{"none"}, Prompter: &person{answers: []string{"yes"}}}, "UserKnownHostsFile"},
		"odd name":    {hostkeys.Config{Host: "a*b", Prompter: &person{answers: []string{"yes"}}}, "cannot be written"},
		"odd alias":   {hostkeys.Config{Alias: "a b", Prompter: &person{answers: []string{"yes"}}}, "cannot be written"},
	} {
		if tc.config.UserFiles == nil {
			tc.config.UserFiles = []string{path}
		}
		_, err := check(t, tc.config, key)
		require.Contains(t, refused(t, err, hostkeys.Unknown).Error(), tc.says, name)
	}
	require.Empty(t, read(t, path))
}

// waiting is a person who never answers.
type waiting struct{ asked chan struct{} }

func (w waiting) Prompt(ctx context.Context, _ prompt.Question) (string, error) {
	close(w.asked)
	<-ctx.Done()
	return "", ctx.Err()
}

func TestAskEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := waiting{make(chan struct{})}
	checker := hostkeys.New(hostkeys.Config{Host: "srv", UserFiles: []string{write(t, "")}, Prompter: w})
	go func() {
		<-w.asked
		cancel()
	}()
	require.ErrorIs(t, checker.Check(ctx, remote, keys().ed25519.PublicKey()), context.Canceled)
	require.Nil(t, checker.Result().Key)
}
