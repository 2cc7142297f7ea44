package socks_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/master/internal/forward/socks"
)

// golden are requests as clients send them: curl, ncat and the RFC's layout.
var golden = []struct {
	name    string
	sent    string
	answer  string
	req     socks.Request
	granted string
	rest    string
}{
	{
		name:    "4",
		sent:    "\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
		req:     socks.Request{Version: 4, Host: "127.0.0.1", Port: 80},
		granted: "\x00\x5a\x00\x00\x00\x00\x00\x00",
	},
	{
		name:    "4 with a user and data behind",
		sent:    "\x04\x01\x1f\x90\x0a\x01\x02\x03joe\x00GET /",
		req:     socks.Request{Version: 4, Host: "10.1.2.3", Port: 8080},
		granted: "\x00\x5a\x00\x00\x00\x00\x00\x00",
		rest:    "GET /",
	},
	{
		name:    "4a",
		sent:    "\x04\x01\x01\xbb\x00\x00\x00\x01joe\x00example.org\x00x",
		req:     socks.Request{Version: 4, Host: "example.org", Port: 443},
		granted: "\x00\x5a\x00\x00\x00\x00\x00\x00",
		rest:    "x",
	},
	{
		name:    "5 with a name",
		sent:    "\x05\x01\x00\x05\x01\x00\x03\x0bexample.org\x01\xbb",
		answer:  "\x05\x00",
		req:     socks.Request{Version: 5, Host: "example.org", Port: 443},
		granted: "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
	},
	{
		name:    "5 with IPv4, several methods, data behind",
		sent:    "\x05\x03\x02\x00\x01\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x16SSH-",
		answer:  "\x05\x00",
		req:     socks.Request{Version: 5, Host: "192.0.2.7", Port: 22},
		granted: "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
		rest:    "SSH-",
	},
	{
		name:    "5 with IPv6",
		sent:    "\x05\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50",
		answer:  "\x05\x00",
		req:     socks.Request{Version: 5, Host: "::1", Port: 80},
		granted: "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
	},
}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		for _, piece := range []int{len(g.sent), 3, 1} {
			var h socks.Handshake
			answer, req, err := feed(&h, []byte(g.sent), piece)
			require.NoError(t, err, g.name)
			require.Equal(t, &g.req, req, g.name)
			require.Equal(t, g.answer, string(answer), g.name)
			require.Equal(t, g.granted, string(req.Granted()), g.name)
			if piece == len(g.sent) {
				require.Equal(t, g.rest, string(h.Rest()), g.name)
			}
		}
	}
}

// feed hands the bytes over in pieces until the request is complete.
func feed(h *socks.Handshake, sent []byte, piece int) (answers []byte, req *socks.Request, err error) {
	for len(sent) > 0 && req == nil && err == nil {
		n := min(piece, len(sent))
		var answer []byte
		answer, req, err = h.Next(sent[:n])
		answers = append(answers, answer...)
		sent = sent[n:]
	}
	return answers, req, err
}

// The method of version 5 is chosen before the request is there: the client
// waits for it.
func TestGreetingIsAnswered(t *testing.T) {
	var h socks.Handshake
	answer, req, err := h.Next([]byte("\x05\x01\x00"))
	require.NoError(t, err)
	require.Nil(t, req)
	require.Equal(t, "\x05\x00", string(answer))
	answer, req, err = h.Next([]byte("\x05\x01\x00\x01\x01\x02\x03\x04\x00\x09"))
	require.NoError(t, err)
	require.Empty(t, answer)
	require.Equal(t, &socks.Request{Version: 5, Host: "1.2.3.4", Port: 9}, req)
}

func TestTruncated(t *testing.T) {
	for _, g := range golden {
		for n := range len(g.sent) - len(g.rest) {
			var h socks.Handshake
			_, req, err := h.Next([]byte(g.sent[:n]))
			require.NoError(t, err, "%s, %d bytes", g.name, n)
			require.Nil(t, req)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, sent := range map[string]string{
		"HTTP":                     "GET / HTTP/1.1\r\n",
		"version 0":                "\x00\x01\x02",
		"4: bind":                  "\x04\x02\x00\x50\x7f\x00\x00\x01\x00",
		"4a: no name":              "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00",
		"4: endless user":          "\x04\x01\x00\x50\x7f\x00\x00\x01" + strings.Repeat("u", 1025),
		"4a: endless name":         "\x04\x01\x00\x50\x00\x00\x00\x01\x00" + strings.Repeat("n", 1025),
		"4: user too long":         "\x04\x01\x00\x50\x7f\x00\x00\x01" + strings.Repeat("u", 1025) + "\x00",
		"5: only with a password":  "\x05\x01\x02",
		"5: no method":             "\x05\x00",
		"5: bind":                  "\x05\x01\x00\x05\x02\x00\x01\x01\x02\x03\x04\x00\x09",
		"5: UDP":                   "\x05\x01\x00\x05\x03\x00\x01\x01\x02\x03\x04\x00\x09",
		"5: other version later":   "\x05\x01\x00\x04\x01\x00\x01\x01\x02\x03\x04\x00\x09",
		"5: reserved byte":         "\x05\x01\x00\x05\x01\x01\x01\x01\x02\x03\x04\x00\x09",
		"5: unknown address":       "\x05\x01\x00\x05\x01\x00\x02\x01\x02\x03\x04\x00\x09",
		"5: empty name":            "\x05\x01\x00\x05\x01\x00\x03\x00\x00\x09",
		"5: zero byte in the name": "\x05\x01\x00\x05\x01\x00\x03\x03a\x00b\x00\x09",
	} {
		var h socks.Handshake
		_, req, err := h.Next([]byte(sent))
		require.ErrorIs(t, err, socks.ErrMalformed, name)
		require.Nil(t, req, name)
	}
}

// However a client's bytes are cut, the outcome is the same, nothing is lost,
// and nothing more than a bounded part is kept before the request is complete.
func FuzzHandshake(f *testing.F) {
	for _, g := range golden {
		f.Add([]byte(g.sent), 1)
	}
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		var whole, cut socks.Handshake
		answer, req, err := whole.Next(sent)
		n := 1 + int(uint(piece)%64)
		answers, again, errAgain := feed(&cut, sent, n)
		require.Equal(t, req, again)
		if err == nil {
			require.NoError(t, errAgain)
			require.True(t, bytes.Equal(answer, answers))
		} else {
			require.Error(t, errAgain)
		}
		if req == nil && err == nil {
			require.LessOrEqual(t, len(whole.Rest()), 4096)
			return
		}
		if req != nil {
			require.NotEmpty(t, req.Host)
			require.True(t, bytes.HasSuffix(sent, whole.Rest()))
		}
	})
}
