package master_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master"
	"sshmaster/master/internal/sshtest"
	"sshmaster/muxproto"
)

// askpass writes a program that notes what it was asked and ends as told.
func askpass(t *testing.T, answer string) (program, asked string) {
	t.Helper()
	dir := t.TempDir()
	program, asked = filepath.Join(dir, "askpass"), filepath.Join(dir, "asked")
	script := fmt.Sprintf("#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT $1\" >>%s\n%s\n", asked, answer)
	require.NoError(t, os.WriteFile(program, []byte(script), 0o700))
	return program, asked
}

func TestControlMasterAsk(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		env          []string
		allowed      bool
		asked        string
	}{
		{"exit 0 says yes", "exit 0", []string{"DISPLAY=:0"}, true, "confirm Allow shared connection to 127.0.0.1? \n"},
		{"the word yes", "echo Yes", []string{"SSH_ASKPASS_REQUIRE=force"}, true, "confirm Allow shared connection to 127.0.0.1? \n"},
		{"another word", "echo later", []string{"DISPLAY=:0"}, false, "confirm Allow shared connection to 127.0.0.1? \n"},
		{"exit 1 says no", "exit 1", []string{"WAYLAND_DISPLAY=w"}, false, "confirm Allow shared connection to 127.0.0.1? \n"},
		{"nobody to ask", "exit 0", nil, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := sshtest.NewServer(t)
			program, asked := askpass(t, tc.answer)
			m := startWith(t, master.Options{
				Host: resolve(t, srv, "ControlMaster=ask"),
				Env:  append(tc.env, "SSH_ASKPASS="+program, "PATH="+os.Getenv("PATH")),
			})
			_, err := m.dial(t).Alive(t.Context())
			require.NoError(t, err) // is never asked about
			_, err = m.open(t, "exit 0")
			if !tc.allowed {
				var denied *muxproto.ReplyError
				require.ErrorAs(t, err, &denied)
				require.True(t, denied.Denied)
			} else {
				require.NoError(t, err)
			}
			got, _ := os.ReadFile(asked)
			require.Equal(t, tc.asked, string(got))
		})
	}
}
