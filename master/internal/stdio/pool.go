package stdio

import "sync"

// Pool hands out buffers of one size to the streams that have something to
// read. One pool serves any number of streams.
type Pool struct {
	size int
	free sync.Pool
}

// NewPool returns a pool of buffers of size bytes each.
func NewPool(size int) *Pool {
	return &Pool{size: size}
}

func (p *Pool) take() *Buffer {
	if b, ok := p.free.Get().(*Buffer); ok {
		return b
	}
	return &Buffer{mem: make([]byte, p.size), pool: p}
}

// Buffer holds the bytes of one read.
type Buffer struct {
	mem  []byte
	n    int
	pool *Pool
}

// Bytes returns what was read, until Release. The caller may change the bytes
// and use the capacity behind them.
func (b *Buffer) Bytes() []byte { return b.mem[:b.n] }

// Release gives the buffer back to its pool. Call it once.
func (b *Buffer) Release() {
	b.n = 0
	b.pool.free.Put(b)
}
