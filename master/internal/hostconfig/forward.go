package hostconfig

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// socket is one end with a port, as ssh prints it: [host]:port or a port.
var socket = regexp.MustCompile(`^(?:\[([^\]]*)\]:)?([0-9]+)$`)

// firstSocket and lastSocket split two ends of which one has a port.
var (
	firstSocket = regexp.MustCompile(`^((?:\[[^\]]*\]:)?[0-9]+) (.+)$`)
	lastSocket  = regexp.MustCompile(`^(.+) ((?:\[[^\]]*\]:)?[0-9]+)$`)
)

// parseForwards reads all values of LocalForward, RemoteForward or
// DynamicForward.
func parseForwards(values []string, keyword string) ([]Forward, error) {
	var all []Forward
	for _, value := range values {
		f, err := parseForward(value, keyword)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// parseForward reads one forward as ssh prints it. A remote forward without a
// target is a SOCKS proxy at the server's end, printed as [socks]:0.
func parseForward(value, keyword string) (f Forward, err error) {
	listen, connect := value, ""
	if keyword != "DynamicForward" {
		if listen, connect, err = splitEnds(value); err != nil {
			return Forward{}, err
		}
	}
	if f.ListenHost, f.ListenPort, f.ListenPath, err = parseEnd(listen); err != nil {
		return Forward{}, err
	}
	if strings.HasPrefix(listen, "[]:") {
		f.ListenHost = "*"
	}
	if connect == "" || connect == "[socks]:0" {
		f.Dynamic = true
		return f, nil
	}
	f.ConnectHost, f.ConnectPort, f.ConnectPath, err = parseEnd(connect)
	return f, err
}

// splitEnds splits a forward into its two ends; the second is "" when there is
// only one. Paths are printed without quotes and may hold spaces.
func splitEnds(value string) (listen, connect string, err error) {
	if m := firstSocket.FindStringSubmatch(value); m != nil {
		return m[1], m[2], nil
	}
	if m := lastSocket.FindStringSubmatch(value); m != nil {
		return m[1], m[2], nil
	}
	switch strings.Count(value, " /") {
	case 0:
		return value, "", nil
	case 1:
		at := strings.Index(value, " /")
		return value[:at], value[at+1:], nil
	}
	return "", "", errors.New("holds paths with spaces that cannot be told apart")
}

// parseEnd reads one end: [host]:port, port or the path of a unix socket.
func parseEnd(s string) (host string, port int, path string, err error) {
	m := socket.FindStringSubmatch(s)
	if m == nil {
		if s == "" {
			return "", 0, "", errors.New("has an empty end")
		}
		return "", 0, s, nil
	}
	n, err := strconv.ParseUint(m[2], 10, 16)
	if err != nil {
		return "", 0, "", errors.New("has no port between 0 and 65535")
	}
	return m[1], int(n), "", nil
}

// dropFalseDynamic removes what no user wrote: ssh -G (8.4 to 10.6) prints a
// LocalForward to a unix socket a second time, as a DynamicForward.
func (h *Host) dropFalseDynamic() {
	for _, local := range h.LocalForward {
		if local.ConnectPath == "" {
			continue
		}
		shadow := Forward{ListenHost: local.ListenHost, ListenPort: local.ListenPort, ListenPath: local.ListenPath, Dynamic: true}
		if i := slices.Index(h.DynamicForward, shadow); i >= 0 {
			h.DynamicForward = slices.Delete(h.DynamicForward, i, i+1)
		}
	}
	if len(h.DynamicForward) == 0 {
		h.DynamicForward = nil
	}
}
