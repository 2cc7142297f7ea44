package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parsed(t *testing.T, line string) Call {
	t.Helper()
	c, err := parseCall(strings.Fields(line))
	require.NoError(t, err, line)
	return c
}

func TestSeesToItself(t *testing.T) {
	for line, want := range map[string]bool{
		"host": false, "-M host": true, "-fNMS /x host": true, "-S none host": true, "-oControlPath=/x host": true,
		"-o controlpath=none host": true, "-oControlMaster=auto host": false, "-oControlMaster=no host": false,
		"-oControlMaster=yes host": true, "-oControlMaster=autoask host": true, "host ssh -M x": false, "host -M": true,
	} {
		require.Equal(t, want, parsed(t, line).SeesToItself(), line)
	}
}

func TestEnds(t *testing.T) {
	for line, want := range map[string]bool{
		"host": false, "-O check host": false, "-O exit host": true, "-Ostop host": true, "-O cancel -L 1:h:1 host": true,
		"-O forward host": false, "-O proxy host": false,
	} {
		require.Equal(t, want, parsed(t, line).Ends(), line)
	}
}

// What one ssh is called with for its own session is not for everybody.
func TestShared(t *testing.T) {
	for line, want := range map[string]string{
		"host": "", "-vvtt -p 22 host": "-p 22", "-L 1:h:1 -R 2:h:2 -D 3 -w 0 host": "", "-A host": "-A", "-X -Y host": "-X -Y",
		// scp's and sftp's
		"-x -oPermitLocalCommand=no -oClearAllForwardings=yes -oRemoteCommand=none -oRequestTTY=no -oForwardAgent=no -l me -s -- host sftp": "-l me",
		"-oForwardAgent=yes host":                           "-o ForwardAgent=yes",
		"-oBatchMode=yes -oUser=x host":                     "-o User=x",
		"-F /f -i id -J jump -C -4 -oControlMaster=no host": "-F /f -i id -J jump -C -4",
	} {
		c, err := parsed(t, line).shared()
		require.NoError(t, err, line)
		require.Equal(t, want, strings.Join(c.Args, " "), line)
		require.Equal(t, parsed(t, line).Destination, c.Destination)
	}
}

// Names are bytes.
func TestCallOnTheWire(t *testing.T) {
	c := Call{Args: []string{"-i", "lat\xe9/id", ""}, Destination: "h\xffst", Dir: "/lat\xe9", Env: []string{"A=\xe9\x01", "B=\u2028<"}}
	text, err := json.Marshal(c)
	require.NoError(t, err)
	var back Call
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, c, back)
}

// A caller without a session of his own leaves the agent where it is.
func TestKeepSession(t *testing.T) {
	agent := t.TempDir()
	former := []string{"A=1", "SSH_AUTH_SOCK=" + agent, "DISPLAY=:1"}
	require.Equal(t, []string{"B=2", "SSH_AUTH_SOCK=" + agent, "DISPLAY=:1"}, keepSession([]string{"B=2"}, former))
	own := []string{"SSH_AUTH_SOCK=/mine", "DISPLAY=:2"}
	require.Equal(t, own, keepSession(own, former))
	require.Empty(t, keepSession(nil, []string{"SSH_AUTH_SOCK=" + agent + "/gone"}))
}

// Calls are told apart by what an `ssh -G` may look at, and by nothing else.
func TestKey(t *testing.T) {
	one := Call{Args: []string{"-p", "22"}, Destination: "host", Dir: "/", Env: []string{"A=1", "PWD=/x"}}
	for name, change := range map[string]struct {
		call Call
		same bool
	}{
		"folder of a shell":     {Call{one.Args, "host", "/", []string{"A=1", "PWD=/y", "SHLVL=2"}}, true},
		"variable":              {Call{one.Args, "host", "/", []string{"A=2", "PWD=/x"}}, false},
		"folder":                {Call{one.Args, "host", "/x", one.Env}, false},
		"host":                  {Call{one.Args, "host2", "/", one.Env}, false},
		"options":               {Call{[]string{"-p", "23"}, "host", "/", one.Env}, false},
		"an option as variable": {Call{[]string{"-p"}, "host", "/", append([]string{"22"}, one.Env...)}, false},
	} {
		require.Equal(t, change.same, one.key() == change.call.key(), name)
	}
}
