package proxy

import "sync"

// Sizes of the memory in which slaves' data waits for the host. A large one has
// room for the longest data packet with its header.
const (
	smallChunk = 2 << 10
	largeChunk = maxPacket + 64

	// adoptFrom is how many bytes a data packet must carry to be queued in the
	// memory that it was read into; less is copied together.
	adoptFrom = largeChunk / 2
)

// A chunk is pooled memory of which some holds data.
type chunk struct {
	mem      []byte
	from, to int
}

var (
	smallChunks = sync.Pool{New: func() any { return &chunk{mem: make([]byte, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{mem: make([]byte, largeChunk)} }}
)

// newChunk returns an empty chunk with room for n bytes, of at most a data
// packet.
func newChunk(n int) *chunk {
	pool := &largeChunks
	if n <= smallChunk/2 {
		pool = &smallChunks
	}
	c := pool.Get().(*chunk)
	c.from, c.to = 0, 0
	return c
}

func (c *chunk) data() []byte { return c.mem[c.from:c.to] }

// append copies as much of p as there is room for and returns the rest.
func (c *chunk) append(p []byte) []byte {
	n := copy(c.mem[c.to:], p)
	c.to += n
	return p[n:]
}

// release gives the memory back to its pool.
func (c *chunk) release() {
	if len(c.mem) == smallChunk {
		smallChunks.Put(c)
	} else {
		largeChunks.Put(c)
	}
}
