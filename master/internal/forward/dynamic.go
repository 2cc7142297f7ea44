package forward

import (
	"io"
	"time"

	"sshmaster/master/internal/forward/socks"
)

// handshakeBuffer holds one read of a SOCKS client; requests are mostly smaller.
const handshakeBuffer = 512

// handshake serves SOCKS to the client on rw until it has said where it wants to
// go, and returns what it sent after that. A client that takes too long loses
// its connection.
func (c *connection) handshake(rw io.ReadWriter) (req *socks.Request, rest []byte, err error) {
	limit := time.AfterFunc(c.reg.cfg.HandshakeTime, c.end)
	defer limit.Stop()
	var h socks.Handshake
	buf := make([]byte, handshakeBuffer)
	for {
		n, err := rw.Read(buf)
		answer, req, bad := h.Next(buf[:n])
		if bad != nil {
			return nil, nil, bad
		}
		if len(answer) > 0 {
			if _, err := rw.Write(answer); err != nil {
				return nil, nil, err
			}
		}
		if req != nil {
			return req, h.Rest(), nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}
