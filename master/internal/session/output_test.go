package session

import (
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// portions is a source whose reads have so many bytes each, if there is room.
type portions struct {
	sizes []int
	rooms []int // what each read had room for
}

func (p *portions) Read(b []byte) (int, error) {
	p.rooms = append(p.rooms, len(b))
	if len(p.sizes) == 0 {
		return 0, io.EOF
	}
	n := min(p.sizes[0], len(b))
	if p.sizes[0] -= n; p.sizes[0] == 0 {
		p.sizes = p.sizes[1:]
	}
	return n, nil
}

// Nobody waits with a large buffer after an output that was not much.
func TestLargeBufferIsHeldForBulkAlone(t *testing.T) {
	const small, large = quietBuffer, bulkBuffer
	for _, tc := range []struct {
		what  string
		sizes []int
		rooms []int
	}{
		{"keystrokes", []int{1, 2}, []int{small, small, small}},
		{"a prompt", []int{600}, []int{small, large, small}},
		{"bulk, and its end", []int{32 << 10, 32 << 10, 100}, []int{small, large, large, large, small}},
	} {
		from, count, all := &portions{sizes: tc.sizes}, atomic.Uint64{}, 0
		for _, n := range tc.sizes {
			all += n
		}
		copyOutput(nil, from, &count, func() {})
		require.Equal(t, tc.rooms, from.rooms, tc.what)
		require.EqualValues(t, all, count.Load(), tc.what)
	}
}
