package hostconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// indifferent are the keywords that make no other link: they say how a link is
// come by, what sessions and forwards do on it, or where its socket is. Whatever
// is not named here tells links apart, a keyword that is new too.
var indifferent = strings.Fields(`
	OriginalHost ConnectTimeout ConnectionAttempts
	HashKnownHosts UpdateHostKeys FingerprintHash VisualHostKey
	AddKeysToAgent NumberOfPasswordPrompts BatchMode
	LocalForward RemoteForward DynamicForward GatewayPorts ClearAllForwardings ExitOnForwardFailure
	StreamLocalBindMask StreamLocalBindUnlink PermitRemoteOpen
	ForwardAgent ForwardX11 ForwardX11Trusted ForwardX11Timeout XAuthLocation Tunnel TunnelDevice
	ControlMaster ControlPath ControlPersist ForkAfterAuthentication
	RemoteCommand LocalCommand PermitLocalCommand RequestTTY SessionType StdinNull SendEnv SetEnv
	EscapeChar EnableEscapeCommandline ObscureKeystrokeTiming ChannelTimeout
	CanonicalizeHostname CanonicalizeFallbackLocal CanonicalizeMaxDots CanonicalDomains CanonicalizePermittedCNAMEs
	IgnoreUnknown Tag LogLevel LogVerbose SyslogFacility
	ProxyJump`)

// LinkKey returns a word that two hosts have in common when a link to one is as
// good as a link to the other: the same user at the same address, proven and
// verified by the same means over the same kind of connection. The jump hosts on
// the way are not part of it: see [Host.Route].
func (h *Host) LinkKey() string {
	said := make(map[string]any)
	v := reflect.ValueOf(h).Elem()
	for _, f := range hostFields {
		if !slices.Contains(indifferent, f.name) {
			said[f.name] = v.Field(f.index).Interface()
		}
	}
	if len(h.ProxyJump) > 0 {
		said["ProxyCommand"] = "" // it only says the same once more
	}
	said["IdentityAgent"], said["SecurityKeyProvider"] = h.named.identity, h.named.provider // whoever's environment it was
	if h.KnownHostsCommand != "" {
		said["tokens"] = [...]string{h.OriginalHost, h.HostKeyAlias}
	}
	text, err := json.Marshal(said) // sorts the keys
	if err != nil {
		panic("hostconfig: a field of Host has a type that JSON does not know: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
