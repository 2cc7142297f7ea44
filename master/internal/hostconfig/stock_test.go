package hostconfig_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/hostconfig"
)

func TestWantsStock(t *testing.T) {
	const kerberos = `gssapiauthentication yes`
	for printed, want := range map[string]string{
		"":                            "",
		"compression yes":             "Compression yes",
		"compression no":              "",
		"hostbasedauthentication yes": "HostbasedAuthentication yes",
		"hostbasedauthentication yes;preferredauthentications publickey,hostbased":   "HostbasedAuthentication yes",
		"hostbasedauthentication yes;preferredauthentications publickey":             "",
		"preferredauthentications gssapi-with-mic,hostbased":                         "PreferredAuthentications gssapi-with-mic,hostbased",
		"preferredauthentications gssapi-with-mic,publickey;" + kerberos:             "PreferredAuthentications gssapi-with-mic,publickey",
		"preferredauthentications gssapi-with-mic,publickey;gssapiauthentication no": "",
		kerberos:                              "",
		kerberos + ";pubkeyauthentication no": "",
		kerberos + ";pubkeyauthentication no;passwordauthentication no;kbdinteractiveauthentication no": "GSSAPIAuthentication yes",
		kerberos + ";gssapidelegatecredentials yes":                                                     "GSSAPIDelegateCredentials yes",
		kerberos + ";gssapikeyexchange yes":                                                             "GSSAPIKeyExchange yes",
		"pkcs11provider /usr/lib/token.so":                                                              "PKCS11Provider /usr/lib/token.so",
		"pkcs11provider /usr/lib/token.so;pubkeyauthentication false":                                   "",
		"pkcs11provider none":                                                                           "",
	} {
		h, err := ask(t, script(t, "case \" $* \" in *\" -F none \"*) echo hostname x ;; *) printf '%s\\n' '"+strings.ReplaceAll("hostname x;"+printed, ";", "' '")+"' | grep . ;; esac"))
		require.NoError(t, err, printed)
		require.Equal(t, want, h.WantsStock(), printed)
	}
}

func TestCheckByStock(t *testing.T) {
	eachRelease(t, "rich", func(t *testing.T, release string, h *hostconfig.Host) {
		native, err := h.Check()
		require.ErrorIs(t, err, hostconfig.ErrRefused)
		stock, err := h.CheckByStock()
		require.ErrorContains(t, err, "Tunnel ethernet: ")
		require.Contains(t, strings.Join(native, "\n"), "Compression yes: ")
		for _, honoured := range []string{"Compression", "PKCS11Provider", "HostbasedAuthentication", "GSSAPI"} {
			require.NotContains(t, strings.Join(stock, "\n"), honoured)
		}
	})
	h, err := resolve(t, "ForwardX11 yes\nPreferredAuthentications hostbased\n")
	require.NoError(t, err)
	warnings, err := h.CheckByStock()
	require.NoError(t, err)
	require.Equal(t, []string{"ForwardX11 yes: X11 is not forwarded over a link of stock ssh"}, warnings)
	_, err = h.Check()
	require.ErrorIs(t, err, hostconfig.ErrRefused)
}

func TestStockSSH(t *testing.T) {
	ssh := script(t, "echo hostname x")
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: ssh, Destination: "me@there", OwnFile: "none",
		Args: []string{"-fMNqv", "-S", "/s", "-E/log", "-L8080:a:80", "-R", "0:b:81", "-D1080", "-tTXYyn", "-AC4", "-p", "2222",
			"-oTransport=openssh", "-oUser=you", "-i", "key", "-J", "jump", "-F", "none"},
	})
	require.NoError(t, err)
	require.Equal(t, "openssh", h.Own.Transport)
	program, options, destination, ok := h.StockSSH()
	require.True(t, ok)
	require.Equal(t, ssh, program)
	require.Equal(t, "me@there", destination)
	require.Equal(t, []string{"-A", "-C", "-4", "-p", "2222", "-o", "User=you", "-i", "key", "-J", "jump", "-F", "none"}, options)
}

func TestStockSSHWhereNoneIsInstalled(t *testing.T) {
	h, err := hostconfig.Resolve(context.Background(), hostconfig.Query{
		SSH: "/nowhere/ssh", Destination: "there", OwnFile: "none", Args: []string{"-F", "none"},
	})
	require.NoError(t, err)
	_, _, _, ok := h.StockSSH()
	require.False(t, ok)
	require.Equal(t, "auto", h.Own.Transport)
}

func TestTransportIsOneOfThree(t *testing.T) {
	_, err := own(t, "Transport telnet")
	require.ErrorContains(t, err, `master_config:1: Transport "telnet"`)
	got, err := own(t, "Transport native")
	require.NoError(t, err)
	require.Equal(t, "native", got.Transport)
}
