// Package socks reads what a SOCKS client asks for, and knows what to answer:
// version 4, its extension 4a, and version 5 (RFC 1928) with the only method
// that needs no password and the only command CONNECT, as OpenSSH serves them.
//
// It does no input or output of its own. A [Handshake] is fed with what the
// client sent, in pieces of any size:
//
//	for {
//		n, err := conn.Read(buf)
//		...
//		answer, req, err := h.Next(buf[:n])
//		conn.Write(answer)
//		if req != nil {
//			break // connect, write req.Granted(), then go on with h.Rest()
//		}
//	}
//
// A client that asks for something else gets no answer: OpenSSH closes such a
// connection, as it does when the target cannot be reached.
package socks
