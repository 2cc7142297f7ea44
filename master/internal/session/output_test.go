package session

import (
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

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

// What fills the small buffer goes out together with the rest of it, and by itself
// where there is none.
func TestOutputKeepsItsPieces(t *testing.T) {
	pieces := func(sent ...int) (sizes []int) {
		begun, from := make([]byte, quietBuffer), &portions{sizes: sent}
		n, err := from.Read(begun)
		require.NoError(t, err)
		require.Equal(t, quietBuffer, n)
		copyBulk(func(p []byte) { sizes = append(sizes, len(p)) }, begun, from)
		return sizes
	}
	require.Eventually(t, func() bool {
		return slices.Equal([]int{600}, pieces(600)) &&
			slices.Equal([]int{quietBuffer + 32<<10, 100}, pieces(quietBuffer, 32<<10, 100))
	}, 20*time.Second, time.Millisecond, "unless another processor is quicker than a read")

	host, far := io.Pipe()
	alone := make(chan struct{})
	go func() {
		far.Write(make([]byte, quietBuffer))
		<-alone
		far.Write(make([]byte, 10))
	}()
	var sizes []int
	begun := make([]byte, quietBuffer)
	_, err := io.ReadFull(host, begun)
	require.NoError(t, err)
	require.NoError(t, copyBulk(func(p []byte) {
		if sizes = append(sizes, len(p)); len(sizes) == 1 {
			close(alone)
		}
	}, begun, host))
	require.Equal(t, []int{quietBuffer, 10}, sizes)
}
