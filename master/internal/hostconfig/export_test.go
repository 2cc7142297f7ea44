package hostconfig

import "reflect"

// Chosen returns the fields of h that are not the defaults of the ssh that was
// asked, by name.
func (h *Host) Chosen() map[string]any {
	chosen := make(map[string]any)
	for key, f := range hostFields {
		if h.differs(key) {
			chosen[f.name] = reflect.ValueOf(h).Elem().Field(f.index).Interface()
		}
	}
	for _, always := range []string{
		"OriginalHost", "HostName", "User", "HostKeyAlgorithmsSet", "IdentityFileDefault",
		"IdentityAgent", "ProxyCommand", "UserKnownHostsFile", "GlobalKnownHostsFile", "RevokedHostKeys",
	} {
		chosen[always] = reflect.ValueOf(h).Elem().FieldByName(always).Interface()
	}
	return chosen
}

// SplitLines is for fuzzing.
func SplitLines(s string) (map[string][]string, error) { return splitLines(s) }

// Expand is for fuzzing: tokens %h and %r and the variable V.
func Expand(s, host, user, variable string) (string, error) {
	return expand(s, tokens{'h': host, 'r': user}, environ{"V=" + variable}.lookup)
}

// ShellCommand is for fuzzing: ProxyCommand for a host and a user.
func ShellCommand(command, host, user string) (string, error) {
	return new(Host).shellCommand("ProxyCommand", command, tokens{'h': host, 'r': user})
}

// Indifferent are the keywords that do not tell links apart.
var Indifferent = indifferent
