// Package control is the control socket of a master and the conversation on
// it: it listens at ControlPath, admits slaves of the same user, and carries
// out what they ask for in the multiplexing protocol (OpenSSH's PROTOCOL.mux).
//
//	accept → same user? → HELLO both ways → request → handler → answer → …
//
// Each slave is served by one goroutine that reads a request, carries it out
// and answers it before it reads the next: a second request cannot overtake
// the first, and one slave's slowness or malice is never another's. While a
// session runs the goroutine goes on reading, to notice that the slave left.
//
// What cannot be understood ends that slave's connection without an answer;
// what is understood and refused is answered with a reason.
package control
