// Package x11 is what X11 forwarding knows of X: where the display is, which
// cookie opens it, and how a connection begins (X Window System Protocol,
// section 8; RFC 4254 section 6.3; xauth(1)).
//
// The host never learns the display's real cookie. [Forwarding.Prepare] makes up
// another of the same length for a session to send; a client at the host shows
// that one, and [Forwarding.Admit] puts the real one in its place, or refuses the
// client. Each cookie belongs to the display that it was made for, should the user go
// on on another one meanwhile. As in ssh(1), a forwarding is trusted, with the user's own cookie, or
// untrusted: then xauth(1) has the server generate a cookie that opens less and
// lives for a limited time.
package x11
