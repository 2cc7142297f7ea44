// Package sshtest is an SSH server for tests, built on golang.org/x/crypto/ssh.
//
// A server listens on a loopback port, makes a throw-away host key and a throw-away client key, and lets in any user who
// holds the client key:
//
//	srv := sshtest.NewServer(t, sshtest.Handle(func(s *sshtest.Session) {
//		if start, ok := s.Start(); ok && start.Name == "exec" {
//			fmt.Fprintln(s, "hello")
//			s.Exit(7)
//		}
//	}))
//	link := srv.Link(t, nil)                       // or dial srv.Addr() with srv.ClientConfig(), or run ssh -F srv.Files(t).Config
//	...
//	require.Equal(t, []string{"open session", "exec greet", "eof", "close"}, srv.Log().Channel(1))
//
// # Sessions
//
// A Handler runs for every session from the moment it is open until it returns; then the channel is closed. It sees the
// channel's requests in order (Session.Next, Session.Start), reads the client's input and writes both outputs, and ends
// the session in any way the protocol allows: Exit, ExitStatus, ExitSignal, CloseWrite, Close, in any order or number.
// Ready-made ones are Commands (the default), Idle and the option RealShell.
//
// # What is refused or held
//
// Server.Refuse, Accept and Hold take the protocol's own names: a channel type ("session", "direct-tcpip"), a channel
// request ("pty-req", "exec"), or a global request ("tcpip-forward"). A held answer goes out when the test releases it,
// so that no test needs to sleep. TCP and stream-local forwards and their cancels (RFC 4254 §7, PROTOCOL §2.4) are served
// for real.
//
// # What happened
//
// Everything the client does is recorded in order (Log): tests compare whole sequences, or wait for one event. A channel's
// input (eof) and its requests reach a Go server by different ways, so their order to each other is that in which the
// server noticed them; eof always comes before close, and stands for either EOF or CLOSE.
//
// # Lifetimes
//
// Close ends every connection, waits for every handler, and leaves neither goroutine nor descriptor. Handlers that wait
// for something else than their channel must select on Session.Done.
//
// A Relay stands between a client and a server and is a network that can be frozen, delayed, narrowed and cut. Package
// relay runs one alone, as serve does a server.
package sshtest
