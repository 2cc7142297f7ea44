package hostkeys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A krlReader takes a list apart. After an error everything it returns is empty;
// readers of sections share the error of their parent.
type krlReader struct {
	data   []byte
	err    error
	parent *krlReader
}

func (r *krlReader) fail(err error) {
	for p := r; p != nil; p = p.parent {
		if p.err == nil {
			p.err = err
		}
		p.data = nil
	}
}

func (r *krlReader) more() bool { return r.err == nil && len(r.data) > 0 }

// end fails unless everything was read.
func (r *krlReader) end() {
	if r.more() {
		r.fail(errors.New("hostkeys: key revocation list with trailing bytes"))
	}
}

func (r *krlReader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.data) {
		r.fail(errors.New("hostkeys: key revocation list is truncated"))
		return nil
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

func (r *krlReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *krlReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *krlReader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// bytes reads an SSH string, whose length is checked against what is left.
func (r *krlReader) bytes() []byte {
	n := r.uint32()
	if n > math.MaxInt32 {
		r.fail(errors.New("hostkeys: key revocation list is truncated"))
		return nil
	}
	return r.take(int(n))
}

// section returns a reader of the next string.
func (r *krlReader) section() *krlReader {
	return &krlReader{data: r.bytes(), err: r.err, parent: r}
}

// set reads strings to the end, of the size given unless that is 0.
func (r *krlReader) set(into map[string]bool, size int) {
	for r.more() {
		item := r.bytes()
		if r.err == nil && size != 0 && len(item) != size {
			r.fail(errors.New("hostkeys: key revocation list with a hash of the wrong size"))
		}
		if r.err == nil {
			into[string(item)] = true
		}
	}
}

// bitmap reads PROTOCOL.krl §2.3.
func (r *krlReader) bitmap() serialBitmap {
	b := serialBitmap{offset: r.uint64(), bits: r.bytes()}
	r.end()
	if len(b.bits) > 0 && b.bits[0]&0x80 != 0 {
		r.fail(errors.New("hostkeys: key revocation list with a negative bitmap"))
	}
	if span := uint64(len(b.bits)) * 8; b.offset > math.MaxUint64-span {
		r.fail(errors.New("hostkeys: key revocation list with a bitmap beyond the last serial number"))
	}
	return b
}

// extension passes over an extension unless it is critical (§5 and §2.5).
func (r *krlReader) extension() {
	name, critical := r.bytes(), r.byte()
	r.bytes()
	if r.err == nil && critical != 0 {
		r.fail(fmt.Errorf("hostkeys: key revocation list with a critical extension %q", name))
	}
	r.end()
}
