package proxy

import "encoding/binary"

// Message numbers of the connection protocol (RFC 4254 section 9; PROTOCOL
// section 1.9 for ping and pong).
const (
	msgGlobalRequest    = 80
	msgRequestSuccess   = 81
	msgRequestFailure   = 82
	msgChannelOpen      = 90
	msgOpenConfirmation = 91
	msgOpenFailure      = 92
	msgWindowAdjust     = 93
	msgData             = 94
	msgExtendedData     = 95
	msgEOF              = 96
	msgClose            = 97
	msgRequest          = 98
	msgSuccess          = 99
	msgFailure          = 100
	msgPing             = 192
	msgPong             = 193
)

// A packet is any packet of the connection protocol. Fields that its kind does
// not have are zero; byte slices lie in the memory that it was decoded from.
type packet struct {
	kind    byte
	channel uint32 // the recipient's number
	sender  uint32 // the sender's number, in opens and confirmations
	window  uint32 // initial window or adjustment, in bytes
	max     uint32 // the longest data packet
	code    uint32 // data type of extended data, or reason of a failure
	name    []byte // type of a channel or request, or text of a failure
	want    bool   // an answer is wanted
	data    []byte // data, or what is specific to the type
}

// decode reads a packet that starts with its type. Bytes that are missing or
// left over are an error, and so are types that only a transport has.
func decode(p []byte) (packet, error) {
	if len(p) == 0 {
		return packet{}, fault("a packet without a type")
	}
	r := reader{rest: p[1:]}
	m := packet{kind: p[0]}
	if !r.body(&m) {
		return m, fault("a packet of type %d", m.kind)
	}
	if r.short {
		return m, fault("a packet of type %d that ends early", m.kind)
	}
	if len(r.rest) > 0 {
		return m, fault("a packet of type %d with %d bytes too many", m.kind, len(r.rest))
	}
	return m, nil
}

// body reads what follows the type, and returns false for a type that no slave
// may send.
func (r *reader) body(m *packet) bool {
	switch m.kind {
	case msgGlobalRequest:
		m.name, m.want, m.data = r.bytes(), r.bool(), r.all()
	case msgRequestSuccess, msgRequestFailure:
		m.data = r.all()
	case msgChannelOpen:
		m.name, m.sender, m.window, m.max, m.data = r.bytes(), r.u32(), r.u32(), r.u32(), r.all()
	case msgOpenConfirmation:
		m.channel, m.sender, m.window, m.max, m.data = r.u32(), r.u32(), r.u32(), r.u32(), r.all()
	case msgOpenFailure:
		m.channel, m.code, m.name, m.data = r.u32(), r.u32(), r.bytes(), r.bytes()
	case msgWindowAdjust:
		m.channel, m.window = r.u32(), r.u32()
	case msgData:
		m.channel, m.data = r.u32(), r.bytes()
	case msgExtendedData:
		m.channel, m.code, m.data = r.u32(), r.u32(), r.bytes()
	case msgEOF, msgClose, msgSuccess, msgFailure:
		m.channel = r.u32()
	case msgRequest:
		m.channel, m.name, m.want, m.data = r.u32(), r.bytes(), r.bool(), r.all()
	case msgPing, msgPong:
		m.data = r.bytes()
	default:
		return false
	}
	return true
}

// A reader takes values off the front. Once they run short, all further ones
// are zero.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.rest)) {
		r.short, r.rest = true, nil
		return nil
	}
	v := r.rest[:n]
	r.rest = r.rest[n:]
	return v
}

func (r *reader) u32() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// bool reads a byte of which any value but 0 is true (RFC 4251 section 5).
func (r *reader) bool() bool {
	v := r.take(1)
	return v != nil && v[0] != 0
}

func (r *reader) bytes() []byte { return r.take(r.u32()) }

func (r *reader) all() []byte { return r.take(uint32(len(r.rest))) }
