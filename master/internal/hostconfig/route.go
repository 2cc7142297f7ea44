package hostconfig

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxHops bounds a route. Names that ProxyJump makes of tokens could go on for
// ever without a repetition.
const maxHops = 16

// Route returns the jump hosts by which h is reached, in the order in which they
// are passed; none where h has no ProxyJump. Each is resolved as ssh(1) resolves
// it for itself: ssh starts another ssh for the last jump host and gives that
// nothing of its own command line but -F and -v, the hop's user and port, and
// with -J the hops before it. Where these are none, the jump host's own
// configuration says how it is reached, which may be by further jumps.
//
// A route that comes to the same jump host twice is an error that names it.
func (h *Host) Route(ctx context.Context) ([]*Host, error) {
	var route []*Host
	var asked []string
	for at := h; len(at.ProxyJump) > 0; {
		q := at.jumpQuery()
		key := strings.Join(append(slices.Clone(q.Args), q.Destination), "\x00")
		if slices.Contains(asked, key) || len(route) == maxHops {
			return nil, loopError(h, route, q.Destination)
		}
		asked = append(asked, key)
		q.Args = append(q.Args, "-W", fmt.Sprintf("[%s]:%d", at.HostName, at.Port))
		hop, err := Resolve(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("jump host %s: %w", q.Destination, err)
		}
		hop.forgetSessions()
		route = append(route, hop)
		at = hop
	}
	slices.Reverse(route)
	return route, nil
}

// loopError tells of a route that leads nowhere. It begins as ssh's own message.
func loopError(h *Host, route []*Host, again string) error {
	if len(route) == maxHops {
		return fmt.Errorf("hostconfig: more than %d jump hosts on the way to %s: ProxyJump leads on and on", maxHops, h.OriginalHost)
	}
	names := []string{h.OriginalHost}
	for _, hop := range route {
		names = append(names, hop.OriginalHost)
	}
	return fmt.Errorf("hostconfig: jumphost loop via %s: %s, and again %s; give %[1]s a Host block of its own with ProxyJump none",
		again, strings.Join(names, " through "), again)
}

// Asked is the question to which h is the answer, without what it shared with
// others.
func (h *Host) Asked() Query {
	return Query{Args: h.asked.Args, Destination: h.asked.Destination, Dir: h.asked.Dir, Env: h.env.List()}
}

// jumpQuery is the question for the last jump host of h, but for what it is to
// connect with.
func (h *Host) jumpQuery() Query {
	last := h.ProxyJump[len(h.ProxyJump)-1]
	q := h.asked
	q.Destination, q.Args, q.Env = last.Host, nil, h.env.List()
	if last.User != "" {
		q.Args = append(q.Args, "-l", last.User)
	}
	if last.Port != 0 {
		q.Args = append(q.Args, "-p", strconv.Itoa(last.Port))
	}
	if before := h.ProxyJump[:len(h.ProxyJump)-1]; len(before) > 0 {
		q.Args = append(q.Args, "-J", jumpList(before))
	}
	if h.file != "" {
		q.Args = append(q.Args, "-F", h.file)
	}
	if v := verbosity(h.LogLevel); v != "" {
		q.Args = append(q.Args, v)
	}
	return q
}

// jumpList returns hops in ProxyJump's notation.
func jumpList(hops []Jump) string {
	var names []string
	for _, hop := range hops {
		names = append(names, hop.String())
	}
	return strings.Join(names, ",")
}

// forgetSessions takes out what concerns sessions: a jump host only passes a
// stream on, and it is no loss that its agent is not forwarded.
func (h *Host) forgetSessions() {
	h.ForwardAgent, h.ForwardX11, h.PermitLocalCommand = AgentForward{}, false, false
	h.named.forward = AgentForward{}
	h.LocalForward, h.RemoteForward, h.DynamicForward = nil, nil, nil
}
