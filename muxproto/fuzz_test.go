package muxproto_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sshmaster/muxproto"
)

// seed gives the fuzzer every golden body and an empty message of each type.
func seed(f *testing.F, s side) {
	for _, frame := range s.frames(f) {
		f.Add(frame[4:])
	}
	for _, typ := range muxproto.Types() {
		f.Add(body(typ.New()))
	}
}

// reencode: what decodes without an error encodes to something that decodes to
// the same, and to no more bytes.
func reencode(t *testing.T, decode func([]byte) (muxproto.Message, error), data []byte) {
	m, err := decode(data)
	if err != nil {
		var unknown *muxproto.UnknownTypeError
		require.True(t, errors.As(err, &unknown) || errors.Is(err, muxproto.ErrMalformed) || errors.Is(err, muxproto.ErrTooLarge), "%v", err)
		require.Nil(t, m)
		return
	}
	again := body(m)
	require.LessOrEqual(t, len(again), len(data))
	m2, err := decode(again)
	require.NoError(t, err)
	require.Equal(t, m, m2)
	require.Equal(t, again, body(m2))
	require.False(t, strings.ContainsFunc(muxproto.Describe(m), func(r rune) bool { return r < ' ' || r > '~' }))
}

func FuzzRequest(f *testing.F) {
	seed(f, sides[0])
	f.Fuzz(func(t *testing.T, data []byte) { reencode(t, muxproto.DecodeRequest, data) })
}

func FuzzReply(f *testing.F) {
	seed(f, sides[1])
	f.Fuzz(func(t *testing.T, data []byte) { reencode(t, muxproto.DecodeReply, data) })
}

// FuzzConn reads a whole conversation. Reading ends, and what was read encodes
// to no more than what was sent.
func FuzzConn(f *testing.F) {
	for _, side := range sides {
		for _, r := range distinct(f) {
			var all []byte
			for _, e := range r.events {
				if e.from == side.from {
					all = append(all, e.frame...)
				}
			}
			f.Add(all, side.name == "requests", 1000)
			f.Add(all, side.name == "requests", 1)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, request bool, packetsAfter int) {
		a, b := conns(t)
		go func() {
			_, _ = a.UnixConn().Write(data)
			_ = a.Close()
		}()
		read := sides[1].read
		if request {
			read = sides[0].read
		}
		sum := 0
		var unknown *muxproto.UnknownTypeError
		for range packetsAfter {
			m, err := read(b)
			if err == nil {
				sum += len(muxproto.Append(nil, m))
			} else if !errors.As(err, &unknown) {
				break
			}
		}
		for {
			packet, err := b.ReadPacket(nil)
			if err != nil {
				break
			}
			require.NotEmpty(t, packet)
			sum += len(packet) + 5
		}
		require.LessOrEqual(t, sum, len(data))
		require.NoError(t, b.Close())
		_ = a.Close()
	})
}
