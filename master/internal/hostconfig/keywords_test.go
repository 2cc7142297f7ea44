package hostconfig_test

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

// oldNames are what a release prints for a keyword of another name.
var oldNames = map[string]string{
	"challengeresponseauthentication": "kbdinteractiveauthentication",
	"hostbasedkeytypes":               "hostbasedacceptedalgorithms",
	"pubkeyacceptedkeytypes":          "pubkeyacceptedalgorithms",
}

// requireKnown fails on a keyword in the output of ssh -G that the option table
// does not know.
func requireKnown(t *testing.T, output string) {
	t.Helper()
	rows := make(map[string]bool)
	for _, k := range hostconfig.Keywords {
		rows[strings.ToLower(k.Name)] = true
	}
	for _, line := range strings.Split(strings.TrimSpace(output), "\n") {
		key, _, _ := strings.Cut(line, " ")
		key = strings.ToLower(key)
		if now, ok := oldNames[key]; ok {
			key = now
		}
		require.True(t, rows[key], "ssh -G prints %s, of which the option table says nothing", key)
	}
}

func TestTableKnowsEveryKeyword(t *testing.T) {
	for _, release := range releases {
		for name := range cases {
			requireKnown(t, golden(t, release, name))
		}
	}
	ssh := realSSH(t)
	for _, args := range [][]string{{"-F", "none", "x"}, {"-F", "testdata/rich.conf", "rich"}, {"-F", "testdata/rich.conf", "jump"}} {
		out, err := exec.Command(ssh, append([]string{"-G"}, args...)...).Output()
		require.NoError(t, err)
		requireKnown(t, string(out))
	}
}

func TestTableAndFieldsAgree(t *testing.T) {
	rows := map[string]string{"OriginalHost": "Host"}
	seen := make(map[string]bool)
	for _, k := range hostconfig.Keywords {
		require.False(t, seen[k.Name], "%s has two rows", k.Name)
		seen[k.Name] = true
		switch k.Policy {
		case hostconfig.Honoured, hostconfig.Slave:
			require.Empty(t, k.Why, k.Name)
			require.Nil(t, k.When, k.Name)
		default:
			require.NotEmpty(t, k.Why, "%s is %s without a reason", k.Name, k.Policy)
		}
	}
	fields := make(map[string]bool)
	host := reflect.TypeFor[hostconfig.Host]()
	for i := range host.NumField() {
		f := host.Field(i)
		if !f.IsExported() || f.Tag.Get("ssh") == "-" {
			continue
		}
		name := f.Name
		if row, ok := rows[name]; ok {
			name = row
		}
		fields[name] = true
		require.True(t, seen[name], "field %s has no row", name)
	}
	for name := range seen {
		require.True(t, fields[name], "row %s has no field", name)
	}
}

func TestCheckNamesEachOption(t *testing.T) {
	eachRelease(t, "rich", func(t *testing.T, release string, h *hostconfig.Host) {
		told := make(map[string]hostconfig.Finding)
		for _, f := range h.Findings() {
			told[f.Keyword] = f
		}
		for _, k := range hostconfig.Keywords {
			policy := k.Policy
			switch f, ok := told[k.Name]; {
			case policy == hostconfig.Honoured || policy == hostconfig.Slave:
				require.False(t, ok, k.Name)
			case ok:
				require.Equal(t, policy, f.Policy)
				require.Contains(t, f.String(), k.Name)
				require.Contains(t, f.String(), k.Why)
			}
		}
		warnings, err := h.Check()
		require.ErrorIs(t, err, hostconfig.ErrRefused)
		require.ErrorContains(t, err, "Tunnel ethernet: ")
		require.Contains(t, warnings, "Compression yes: links are not compressed")
		require.Contains(t, strings.Join(warnings, "\n"), "PKCS11Provider /usr/lib/token.so: ")
	})
}

func TestCheckOfUnknownKeyword(t *testing.T) {
	ssh := script(t, `case "$*" in *none*) echo "futureoption no" ;; *) echo "futureoption yes" ;; esac
echo "hostname x"`)
	h, err := ask(t, ssh)
	require.NoError(t, err)
	require.Equal(t, []string{"yes"}, h.Raw["futureoption"])
	warnings, err := h.Check()
	require.NoError(t, err)
	require.Equal(t, []string{"futureoption yes: is not known to this version and has no effect"}, warnings)

	h, err = ask(t, script(t, "echo futureoption no; echo hostname x"))
	require.NoError(t, err)
	warnings, err = h.Check()
	require.NoError(t, err)
	require.Empty(t, warnings, "a default is nobody's wish")
}

func TestCheckOfMethods(t *testing.T) {
	for text, refused := range map[string]bool{
		"PreferredAuthentications gssapi-with-mic,hostbased": true,
		"PreferredAuthentications hostbased,publickey":       false,
		"PubkeyAuthentication no":                            false,
	} {
		h, err := resolve(t, text)
		require.NoError(t, err)
		_, err = h.Check()
		if refused {
			require.ErrorContains(t, err, text)
		} else {
			require.NoError(t, err)
		}
	}
}
