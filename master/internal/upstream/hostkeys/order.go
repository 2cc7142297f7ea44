package hostkeys

import (
	"context"
	"slices"
	"strings"
)

// Algorithms returns the host key algorithms to offer, best first, so that the
// server picks a key that is already known. Nothing is left out but what cannot
// be verified. KnownHostsCommand runs with %I as ORDER.
//
// As ssh does it: when a key of the first algorithm's type is known, or the user
// chose the order, the list stays as it is. Otherwise types of known keys come
// first, and certificates do when an authority is known for the host.
//
// It fails with an [*Error] when the command fails or when no algorithm is left.
func (c *Checker) Algorithms(ctx context.Context) ([]string, error) {
	if len(c.algorithms) == 0 {
		return nil, &Error{Kind: Unacceptable, Host: c.name(),
			Reason: "none of the HostKeyAlgorithms can be verified here: " + printable(strings.Join(c.config.HostKeyAlgorithms, ",")),
			Remedy: "add one of " + strings.Join(verifiable(), ",")}
	}
	if c.config.KeepAlgorithmOrder {
		return slices.Clone(c.algorithms), nil
	}
	found, err := c.load(ctx, c.name())
	if err != nil {
		return nil, err
	}
	host, err := c.withCommand(ctx, found[0], "ORDER", c.name(), nil)
	if err != nil {
		return nil, err
	}
	return order(c.algorithms, host), nil
}

// order moves the algorithms of known keys to the front.
func order(algorithms []string, host entries) []string {
	if host.knows(plainType(algorithms[0])) {
		return slices.Clone(algorithms)
	}
	var first, last []string
	for _, algorithm := range algorithms {
		if isCertType(algorithm) && host.hasAuthority() || host.knows(plainType(algorithm)) {
			first = append(first, algorithm)
		} else {
			last = append(last, algorithm)
		}
	}
	return append(first, last...)
}
