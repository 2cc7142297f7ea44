package sshtest

import (
	"fmt"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// Request is one channel request of a session, as the client sent it (RFC 4254 §6).
type Request struct {
	Name      string // "pty-req", "env", "exec", ...
	WantReply bool
	Accepted  bool // what the server answered, or would have
	Payload   []byte
}

// Size is a terminal's size: characters and pixels.
type Size struct {
	Cols, Rows, XPixel, YPixel uint32
}

// Pty is the payload of pty-req (RFC 4254 §6.2).
type Pty struct {
	Term  string
	Size  Size
	Modes []byte // encoded terminal modes, RFC 4254 §8
}

// Starts reports whether the request is one that starts the session's program: exec, shell or subsystem.
func (r *Request) Starts() bool {
	return r.Name == "exec" || r.Name == "shell" || r.Name == "subsystem"
}

// Text returns the one string that the request carries: exec's command, subsystem's name, signal's name; else "".
func (r *Request) Text() string {
	var payload struct{ Text string }
	switch r.Name {
	case "exec", "subsystem", "signal":
		if ssh.Unmarshal(r.Payload, &payload) == nil {
			return payload.Text
		}
	}
	return ""
}

// Env returns the name and value of an env request.
func (r *Request) Env() (name, value string, ok bool) {
	var payload struct{ Name, Value string }
	if r.Name != "env" || ssh.Unmarshal(r.Payload, &payload) != nil {
		return "", "", false
	}
	return payload.Name, payload.Value, true
}

// Pty returns what a pty-req asks for.
func (r *Request) Pty() (Pty, bool) {
	var payload struct {
		Term                       string
		Cols, Rows, XPixel, YPixel uint32
		Modes                      string
	}
	if r.Name != "pty-req" || ssh.Unmarshal(r.Payload, &payload) != nil {
		return Pty{}, false
	}
	size := Size{payload.Cols, payload.Rows, payload.XPixel, payload.YPixel}
	return Pty{Term: payload.Term, Size: size, Modes: []byte(payload.Modes)}, true
}

// WindowChange returns the new size that a window-change tells.
func (r *Request) WindowChange() (Size, bool) {
	var size Size
	ok := r.Name == "window-change" && ssh.Unmarshal(r.Payload, &size) == nil
	return size, ok
}

// detail returns the payload in words, and whether it is well formed; requests that are not known here have none.
func (r *Request) detail() (words string, ok bool) {
	switch r.Name {
	case "pty-req":
		pty, ok := r.Pty()
		return fmt.Sprintf("%s %dx%d", pty.Term, pty.Size.Cols, pty.Size.Rows), ok
	case "window-change":
		size, ok := r.WindowChange()
		return fmt.Sprintf("%dx%d", size.Cols, size.Rows), ok
	case "env":
		name, value, ok := r.Env()
		return name + "=" + value, ok
	case "break":
		var payload struct{ Milliseconds uint32 }
		err := ssh.Unmarshal(r.Payload, &payload)
		return strconv.Itoa(int(payload.Milliseconds)), err == nil
	case "exec", "subsystem", "signal":
		var payload struct{ Text string }
		err := ssh.Unmarshal(r.Payload, &payload)
		return payload.Text, err == nil
	}
	return "", true
}

// The payloads of forwards: RFC 4254 §7.1 and §7.2, OpenSSH's PROTOCOL §2.4.
type (
	tcpListen struct {
		Host string
		Port uint32
	}
	tcpOpen struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	unixListen struct{ Path string }
	unixOpen   struct {
		Path     string
		Reserved string
		Unused   uint32
	}
	unixForwarded struct{ Path, Reserved string }
)

// openDetail returns where a forwarding channel wants to go, in words.
func openDetail(channelType string, extra []byte) string {
	switch channelType {
	case "direct-tcpip":
		var open tcpOpen
		if ssh.Unmarshal(extra, &open) == nil {
			return hostPort(open.Host, open.Port)
		}
	case "direct-streamlocal@openssh.com":
		var open unixOpen
		if ssh.Unmarshal(extra, &open) == nil {
			return open.Path
		}
	}
	return ""
}

// globalDetail returns what a forwarding request wants to listen on, in words.
func globalDetail(name string, payload []byte) string {
	switch name {
	case "tcpip-forward", "cancel-tcpip-forward":
		var listen tcpListen
		if ssh.Unmarshal(payload, &listen) == nil {
			return hostPort(listen.Host, listen.Port)
		}
	case "streamlocal-forward@openssh.com", "cancel-streamlocal-forward@openssh.com":
		var listen unixListen
		if ssh.Unmarshal(payload, &listen) == nil {
			return listen.Path
		}
	}
	return ""
}

func hostPort(host string, port uint32) string {
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}
